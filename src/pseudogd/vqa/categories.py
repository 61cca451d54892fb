"""What a plain noun says about a thing when geometry cannot say it.

Whole words alone, and the head noun decides: a "keyboard stand" is a stand, a "seat" is no "sea", a "man in a red
shirt" is a man. The lists cover COCO's eighty categories and what open vocabularies commonly ask for.
"""

from __future__ import annotations

import re

PEOPLE = (
    "adult baby boy chef child cook cyclist driver girl guy kid lady man pedestrian people person player skier "
    "skateboarder snowboarder soldier surfer toddler woman worker"
)
ANIMALS = (
    "bear bull calf camel cat chicken cow deer dog donkey duck elephant fox giraffe goat goose horse kangaroo kitten "
    "lamb lion monkey panda penguin pig pigeon pony puppy rabbit rooster sheep squirrel tiger turkey wolf zebra"
)
FLYING_ANIMALS = "bird eagle owl parrot seagull"
VEHICLES = (
    "ambulance bicycle bike bus car forklift jeep limousine minivan motorbike motorcycle moped pickup scooter suv taxi "
    "tractor train tram tricycle truck van"
)
WATER_AND_AIR = "airplane boat helicopter plane ship"
SEATS = "armchair bench chair couch highchair loveseat recliner settee sofa throne toilet wheelchair"
CASES = (
    "bookcase bookshelf bureau cabinet closet cupboard desk dishwasher dresser freezer fridge nightstand oven "
    "refrigerator stove wardrobe"
)
SCREENS = "camera clock computer laptop microwave monitor printer television tv"
GROUND_THINGS = (
    "bed bin crib door fireplace hydrant lamppost mailbox ottoman shelf sink sofa stool streetlight table tent tree "
    "trashcan bathtub"
)

WITH_FRONT = f"{PEOPLE} {ANIMALS} {FLYING_ANIMALS} {VEHICLES} {WATER_AND_AIR} {SEATS} {CASES} {SCREENS}"
"""Things with a side that people call their front. Balls, lamps and bottles have none, whatever a detector believes."""
ON_FLOOR = f"{PEOPLE} {ANIMALS} {VEHICLES} {SEATS} {CASES} {GROUND_THINGS}"
"""Things that stand on the floor or ground as a rule, so that a person can stand at them."""
NEITHER = "clothes horse|corn dog|hot dog|rocking horse|saw horse|teddy bear|gummy bear|flower bed"
"""Names whose head noun is another thing. What begins with one of `SMALL` is a copy of the thing, not the thing."""
SMALL = frozenset(["doll", "miniature", "model", "plush", "stuffed", "toy"])

_WITH_FRONT, _ON_FLOOR = frozenset(WITH_FRONT.split()), frozenset(ON_FLOOR.split())
_NEITHER = frozenset(NEITHER.split("|"))
_AFTER_HEAD = re.compile(
    r"\s(?:with|in|on|of|at|by|for|from|under|behind|beside|near|next|to|wearing|holding|marked)\s"
)


def head_noun(category: str) -> str:
    """The word that says what a thing is: the last one before "with", "in", "of" and the like; empty for no words."""
    words = _AFTER_HEAD.split(" ".join(category.lower().replace("_", " ").replace("-", " ").split()), maxsplit=1)[0]
    return words.split()[-1] if words else ""


def has_front(category: str) -> bool:
    """Whether things of this category have a front of their own."""
    return head_noun(category) in _WITH_FRONT and not _is_other(category)


def is_standable(category: str) -> bool:
    """Whether things of this category stand on the floor as a rule; asked only where the floor is not known."""
    return head_noun(category) in _ON_FLOOR and not _is_other(category)


def _is_other(category: str) -> bool:
    words = category.lower().replace("_", " ").replace("-", " ").split()
    return " ".join(words[-2:]) in _NEITHER or any(word in SMALL for word in words[:-1])
