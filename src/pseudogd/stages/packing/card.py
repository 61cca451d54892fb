"""The data set's README.md: YAML that the hub reads, what the questions are, whence they come, and their limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pseudogd import __version__

_HUB = {"apache-2.0": "apache-2.0", "mit": "mit", "cc0-1.0": "cc0-1.0", "cc-by-4.0": "cc-by-4.0"} | {
    "cc-by-nc-4.0": "cc-by-nc-4.0",
    "bsd-2-clause": "bsd-2-clause",
    "bsd-3-clause": "bsd-3-clause",
}
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_READING = {
    "messages": "Each line of `SPLIT.jsonl` has `images` (paths) and `messages`; the facts of its questions stand in "
    "`questions`.",
    "llava": "Each entry of `SPLIT.json` has `image` (a path) and `conversations`, with `<image>` before the first "
    "question.",
    "omnispatial": "`SPLIT/data.json` and `SPLIT/<task_type>/<image>.png`: the layout of OmniSpatial, multiple choice "
    "alone. `pseudogd eval MODEL --bench omnispatial:THIS/SPLIT` asks a model.",
    "parquet": "`datasets.load_dataset` of this folder gives `images` (decoded), `messages`, `tasks`, and in "
    "`questions` the facts as JSON.",
}


def dataset_card(name: str, form: str, told: Mapping[str, Any], files: Mapping[str, str]) -> str:
    """The text of README.md.

    Args:
        name: of the data set; form: of `FORMATS`; files: split -> pattern.
        told: ``splits``, ``tasks``, ``kinds``, ``formats`` (name -> count), ``photos``, ``teachers`` (list of name,
            revision, licence), ``settings`` of the questions, ``chosen`` (what was left out and how), ``located``.
    """
    import yaml

    total = sum(told["splits"].values())
    head: dict[str, Any] = {
        **_licence([teacher["licence"] for teacher in told["teachers"]]),
        "language": ["en"],
        "task_categories": ["visual-question-answering", "image-text-to-text"],
        "tags": ["spatial-reasoning", "synthetic", "pseudogd"],
        "size_categories": [next((text for most, text in _SIZES if total < most), "n>1M")],
    }
    if form != "omnispatial":
        listed = [{"split": split, "path": pattern} for split, pattern in files.items()]
        head["configs"] = [{"config_name": "default", "data_files": listed}]
    lines = [
        "---",
        yaml.safe_dump(head, sort_keys=False, allow_unicode=True).rstrip(),
        "---",
        "",
        f"# {_plain(name)}",
        "",
        f"{total:,} questions about space on {told['photos']:,} photos, made with pseudogd {__version__}. "
        "No person has written or checked them.",
        "",
        _READING[form],
        "",
        *_table("split", told["splits"]),
        *_table("task", told["tasks"]),
        *_table("kind", told["kinds"]),
        *_table("format", told["formats"]),
        "## How the answers were made",
        "",
        "A depth teacher estimated the geometry of each photo. Named objects were lifted into space, and every answer "
        "was computed by a formula from their places. A question was asked only where the answer keeps a margin to the "
        "nearest other one; value, unit and margin stand with it.",
        "",
        *map(_teacher, told["teachers"]),
        *(f"- {line}" for line in told["chosen"]),
        "",
        "## Licence",
        "",
        "The answers derive from the teacher's predictions, whose licence is named above.",
        "",
        "**The photos are the user's**: "
        "they belong to whoever made or holds them, under terms that this card does not know. Add those terms here "
        "before you pass the data on.",
        "",
        *(
            [f"{told['located']:,} of the photos carry in their EXIF the place where they were taken.", ""]
            if told["located"]
            else []
        ),
        "## Limits",
        "",
        "- Depth is estimated: metric answers share the teacher's error in scale, and some answers are wrong.",
        "- Names and outlines are those of the annotations; an object that they miss is asked about nowhere.",
        "- Answers have priors and can partly be guessed without the photo: `pseudogd audit` says how far.",
        "- Questions are English, from a fixed set of wordings.",
        "",
        "## Settings of the questions",
        "",
        "```yaml",
        yaml.safe_dump(dict(told["settings"]), sort_keys=False, allow_unicode=True).rstrip(),
        "```",
        "",
    ]
    return "\n".join(lines)


def _teacher(told: Mapping[str, str]) -> str:
    name, revision, licence = (_plain(told[key]) or "not told" for key in ("name", "revision", "licence"))
    return f"- teacher: {name}, revision {revision}, licence {licence}"


def _licence(licences: list[str]) -> dict[str, str]:
    """The hub's keys: an identifier where all teachers share one that the hub knows, else "other" with the names."""
    names = sorted(set(licences))
    known = _HUB.get(names[0].lower()) if len(names) == 1 else None
    if known:
        return {"license": known}
    return {"license": "other", "license_name": "teacher-and-photos", "license_details": "; ".join(names) or "unknown"}


def _table(head: str, counts: Mapping[str, int]) -> list[str]:
    rows = [f"| {_plain(name)} | {count:,} |" for name, count in sorted(counts.items())]
    return [f"| {head} | questions |", "| --- | --: |", *rows, ""]


def _plain(text: str) -> str:
    """A name that cannot end its cell or line."""
    return " ".join(str(text).split()).replace("|", "/").replace("<", "‹").replace(">", "›")
