"""A colour is said where nobody would disagree, and only there."""

import numpy as np
import pytest

from pseudogd.objects.colors import ANY, measure, says_color

PLAIN = {
    "red": (200, 20, 30), "orange": (255, 140, 0), "yellow": (245, 220, 20), "green": (40, 140, 50),
    "blue": (30, 60, 200), "purple": (130, 30, 150), "pink": (255, 130, 180), "brown": (110, 70, 35),
    "black": (10, 10, 10), "gray": (128, 128, 128), "white": (250, 250, 250),
}  # fmt: skip
DOUBTFUL = {
    "red or orange": (225, 85, 30), "orange or yellow": (250, 185, 20), "green or blue": (20, 150, 160),
    "blue or purple": (85, 50, 190), "black or gray": (60, 60, 60), "gray or white": (205, 205, 205),
    "gray or blue": (110, 120, 140),
}  # fmt: skip


def patch(color, side=40, noise=0):
    rng = np.random.default_rng(0)
    pixels = np.full((side, side, 3), color, np.float64) + rng.normal(0, noise, (side, side, 3))
    return pixels.clip(0, 255).astype(np.uint8), np.ones((side, side), bool)


@pytest.mark.parametrize("word", PLAIN)
@pytest.mark.parametrize("noise", [0, 8])
def test_plain_colors(word, noise):
    found = measure(*patch(PLAIN[word], noise=noise))
    assert found.said == word and word in found.possible


@pytest.mark.parametrize("words", DOUBTFUL)
def test_between_two_words_none_is_said_and_both_are_possible(words):
    found = measure(*patch(DOUBTFUL[words]))
    assert found.said is None and set(words.split(" or ")) <= found.possible


@pytest.mark.parametrize("light", [0.7, 0.85, 1.0])
def test_shade_does_not_turn_one_colour_into_another(light):
    for word in ("red", "green", "blue", "purple"):
        found = measure(*patch(tuple(light * n for n in PLAIN[word])))
        assert found.said in (word, None) and word in found.possible


def test_what_shines_through_the_outline_does_not_count():
    pixels, mask = patch(PLAIN["blue"])
    pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:] = ((255, 255, 255),) * 4
    assert measure(pixels, mask).said == "blue"


def test_two_colours_are_no_colour():
    pixels, mask = patch(PLAIN["red"])
    pixels[:, 20:] = PLAIN["white"]
    assert measure(pixels, mask).said is None and {"red", "white"} <= measure(pixels, mask).possible


def test_small_things_may_have_any_colour():
    pixels, mask = patch(PLAIN["red"])
    mask[:] = False
    assert measure(pixels, mask) == ANY
    mask[3:6, 3:6] = True
    assert measure(pixels, mask) == ANY and set(PLAIN) == ANY.possible


def test_of_people_and_screens_no_colour_is_said():
    assert not any(map(says_color, ("person", "woman", "child", "tv", "window", "mirror")))
    assert says_color("chair") and says_color("glasses")
