"""What `calibrate` says on the console, line by line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pseudogd.progress import notice

_FAR_ABOVE = 1.5


def say_depth(depth: Mapping[str, Any], quiet: bool) -> None:
    scale, said = depth.get("scale"), f"depth: AbsRel {depth['abs_rel_aligned']:.3f} aligned"
    if scale is not None:
        low, high = scale["interval"]
        said += f", {depth['abs_rel']:.3f} raw; truth = {scale['factor']:.3f} [{low:.3f}, {high:.3f}] x the teacher's"
    notice(said, quiet)


def say_questions(figures: Mapping[str, Any], quiet: bool) -> None:
    for line in _worse_than_stated(figures["objects"], figures["stated"]):
        notice(line, quiet)
    after, held = figures["with_all_proposed"], figures["held_out"]
    rows = [(task, share, after.get(task), held["tasks"].get(task)) for task, share in figures["tasks"].items()]
    rows.append(("all", figures["all_tasks"], figures["all_tasks_with_all_proposed"], held["all"]))
    tells = held["all"]["verdict"] != "few"
    for task, share, then, apart in rows:
        line = f"{task:16s} right {_shown(share)}; with what is proposed {_shown(then)}"
        notice(f"{line}; held out {_held(apart)}" if tells and then and then["count"] else line, quiet)
    notice(held_out_line(held), quiet)
    refused = figures["proposed"].get("without")
    if refused:
        notice(f"not good enough here, and left out by what is proposed: {', '.join(refused)}", quiet)
    if figures["too_few"]:
        few = ", ".join(figures["too_few"])
        notice(f"too few to tell (give more photos, or leave them out by without=[...]): {few}", quiet)


def _worse_than_stated(found: Mapping[str, float], stated: Mapping[str, float]) -> Iterator[str]:
    """What to say of a teacher whose errors are far above those that it states of itself."""
    for name, whose in (("own", "single things"), ("shared", "all depths of a photo together")):
        if name in found and found[name] > _FAR_ABOVE * stated.get(name, math.inf):
            off = f"the teacher is off by {found[name]:.0%} for {whose}, and states {stated[name]:.0%}"
            yield f"{off}: these are not the photos that it was made for"


def _shown(share: Mapping[str, Any] | None) -> str:
    if share is None or share["share"] is None:
        return "nothing asked"
    low, high = share["interval"]
    return f"{share['share']:.3f} [{low:.3f}, {high:.3f}] of {share['count']:,}"


def held_out_line(held: Mapping[str, Any]) -> str:
    """What the held-out check comes to, in one line."""
    every = held["all"]
    if every["verdict"] == "few":
        need, have = held["photos_needed"], every["held"]["photos"]
        return f"held out: cannot tell from {have} photos whether what is proposed holds on others ({need} at least)"
    share, wanted = every["held"], f"{held['wanted']:.1%}"
    verdict = {
        "pass": "holds",
        "warn": f"is below {wanted}, which chance may explain",
        "fail": f"does not hold {wanted}",
    }[every["verdict"]]
    how = f"margins chosen on {held['folds'] - 1} of {held['folds']} photos, judged on the others"
    short = [task for task, one in held["tasks"].items() if one["verdict"] == "fail"]
    named = f"; below it for sure: {', '.join(short)}" if short else ""
    return f"held out: {how}: {_shown(share)} facts of {share['photos']:,} photos; {wanted} {verdict}{named}"


def _held(apart: Mapping[str, Any] | None) -> str:
    if apart is None or apart["verdict"] == "few":
        return "too few photos"
    return _shown(apart["held"])
