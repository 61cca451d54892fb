"""No rule of thumb is right more than half the time."""

from hypothesis import given
from hypothesis import strategies as st

from pseudogd.training.balance import shortcuts_to_drop

drawn = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([True, False, None])), max_size=60)


@given(drawn)
def test_rules_are_right_at_most_half_the_time_and_nothing_else_goes(drawn):
    told = [{"form": form, **({} if right is None else {"shortcut": {"right": right}})} for form, right in drawn]
    questions = [(f"q{number}", evidence) for number, evidence in enumerate(told)]
    dropped = shortcuts_to_drop(questions)
    for form in "ab":
        had = [right for f, right in drawn if f == form]
        kept = [right for (name, _), (f, right) in zip(questions, drawn) if f == form and name not in dropped]
        assert kept.count(None) == had.count(None) and kept.count(False) == had.count(False)
        assert kept.count(True) == min(had.count(True), had.count(False))
    assert dropped == shortcuts_to_drop(questions[::-1])
