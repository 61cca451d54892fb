"""What a plain noun says about a thing when geometry cannot say it."""

from __future__ import annotations

# Things with a side that people call their front. Balls, lamps and bottles have none, whatever a detector believes.
WITH_FRONT = (
    "armchair bench bicycle bus cabinet car cat chair clock couch cow desk dog dresser fridge horse laptop monitor "
    "motorcycle oven person refrigerator sheep sofa television toilet truck tv wardrobe"
)
# Things that stand on the floor or ground as a rule, so that a person can stand at them.
ON_FLOOR = (
    "armchair bed bench bicycle bin bookcase bookshelf bus cabinet car cat chair couch cow desk dog door dresser "
    "fridge horse motorcycle ottoman oven person refrigerator sheep shelf sofa stool table toilet tree truck wardrobe"
)
_WITH_FRONT, _ON_FLOOR = frozenset(WITH_FRONT.split()), frozenset(ON_FLOOR.split())


def _head(category: str) -> str:
    words = category.lower().split()
    return words[-1] if words else ""


def has_front(category: str) -> bool:
    """Whether things of this category have a front of their own. Whole words only: a "keyboard stand" is a stand."""
    return _head(category) in _WITH_FRONT


def is_standable(category: str) -> bool:
    """Whether things of this category stand on the floor as a rule; asked only where the floor is not known."""
    return _head(category) in _ON_FLOOR
