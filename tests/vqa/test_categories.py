"""Which things have a front, and which stand on the ground: whole words, the head noun decides."""

import pytest

from pseudogd.vqa.categories import has_front, head_noun, is_standable
from pseudogd.world.shapes import KINDS

# The eighty categories of COCO: with a front, without one.
COCO_FRONT = (
    "person|bicycle|car|motorcycle|airplane|bus|train|truck|boat|bench|bird|cat|dog|horse|sheep|cow|elephant|bear|zebra|"
    "giraffe|chair|couch|toilet|tv|laptop|microwave|oven|refrigerator|clock"
)
COCO_NO_FRONT = (
    "traffic light|fire hydrant|stop sign|parking meter|backpack|umbrella|handbag|tie|suitcase|frisbee|skis|snowboard|"
    "sports ball|kite|baseball bat|baseball glove|skateboard|surfboard|tennis racket|bottle|wine glass|cup|fork|knife|"
    "spoon|bowl|banana|apple|sandwich|orange|broccoli|carrot|hot dog|pizza|donut|cake|potted plant|bed|dining table|"
    "mouse|remote|keyboard|cell phone|toaster|sink|book|vase|scissors|teddy bear|hair drier|toothbrush"
)


def test_coco_is_whole():
    assert len((COCO_FRONT + "|" + COCO_NO_FRONT).split("|")) == 80


@pytest.mark.parametrize("name", COCO_FRONT.split("|"))
def test_coco_categories_with_a_front(name):
    assert has_front(name)


@pytest.mark.parametrize("name", COCO_NO_FRONT.split("|"))
def test_coco_categories_without_a_front(name):
    assert not has_front(name)


@pytest.mark.parametrize(
    "name", "ball|soccer ball|bottle|lamp|table lamp|vase|toy car|stuffed dog|plush bear|hot dog".split("|")
)
def test_what_has_no_front_whatever_a_detector_believes(name):
    assert not has_front(name)


@pytest.mark.parametrize(
    "name", "office chair|police car|baseball player|man in a red shirt|street_sign|wheelchair".split("|")
)
def test_the_head_noun_decides(name):
    assert has_front(name) == (name != "street_sign")


def test_whole_words_only():
    # By substring "seat" would be eaten by "sea", "player" by "play", "sidewalk" by "side", "broom" by "room".
    assert [head_noun(n) for n in ("car seat", "player", "sidewalk", "nightstand", "broom")] == [
        "seat", "player", "sidewalk", "nightstand", "broom"]  # fmt: skip
    assert has_front("player") and has_front("nightstand")
    assert not any(has_front(n) for n in ("seat", "sidewalk", "broom", "carpet", "catalogue", "scarf", "busbar"))
    assert not any(is_standable(n) for n in ("tablet", "bedsheet", "doorknob", "treetop", "binoculars", "broom"))
    assert is_standable("dining table") and not is_standable("table lamp")
    assert head_noun("") == "" and not has_front("")


def test_the_simulated_world_is_judged_as_before():
    assert {n for n in KINDS if has_front(n)} == {"chair", "sofa", "cabinet"}
    assert {n for n in KINDS if is_standable(n)} == {
        "chair", "table", "sofa", "bed", "shelf", "cabinet", "stool", "bin"}  # fmt: skip
