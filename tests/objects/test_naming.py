"""A name must point at one object of the photo, or not be used."""

from pseudogd.objects.naming import Described, clean, unique_names


def test_own_name_wins_then_colour_then_category():
    things = [
        Described("chair", name="The armchair by the door"),
        Described("box", color="red"),
        Described("box", color="blue"),
        Described("sofa"),
    ]
    assert unique_names(things) == ["armchair by the door", "red box", "blue box", "sofa"]


def test_two_of_a_kind_without_words_apart_are_left_out():
    assert unique_names([Described("chair"), Described("chair"), Described("table")]) == [None, None, "table"]


def test_bare_noun_is_ambiguous_beside_a_qualified_one():
    assert unique_names([Described("chair"), Described("chair", name="red chair")]) == [None, "red chair"]


def test_same_words_in_another_thing_are_no_ambiguity():
    assert unique_names([Described("table"), Described("lamp", name="table lamp")]) == ["table", "table lamp"]


def test_whole_words_only():
    # A stop-list or a match by substring would confuse these.
    assert unique_names([Described("seat"), Described("sea"), Described("night stand"), Described("broom")]) == [
        "seat",
        "sea",
        "night stand",
        "broom",
    ]


def test_equal_names_fall_back():
    things = [Described("chair", name="chair", color="red"), Described("chair", name="chair", color="green")]
    assert unique_names(things) == ["red chair", "green chair"]


def test_unusable_words_are_dropped():
    assert clean("a\nb") == clean(7) == clean("x" * 61) == clean("  ") == ""
    assert clean("An  Old_Clock?") == "old clock"
