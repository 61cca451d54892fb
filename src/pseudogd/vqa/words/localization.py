"""Which thing, or which marked point, meets a condition in space."""

from __future__ import annotations

from pseudogd.vqa.phrasing import FAR, NEAR, Form, many, meant

_FORMS: dict[str, Form] = {
    "localization.nearest_object": many(
        (
            "Which of these is nearest to the {a} in space?",
            "Which of these is closest to the {a} in the real scene?",
            "Which of these has the smallest real distance to the {a}?",
        ),
        (
            "Which is nearest to the {a} in space: {list}?",
            "Which is closest to the {a} in the real scene: {list}?",
            "Which has the smallest real distance to the {a}: {list}?",
        ),
    ),
    "localization.farthest_object": many(
        (
            "Which of these is farthest from the {a} in space?",
            "Which of these is most distant from the {a} in the real scene?",
            "Which of these has the largest real distance to the {a}?",
        ),
        (
            "Which is farthest from the {a} in space: {list}?",
            "Which is most distant from the {a} in the real scene: {list}?",
            "Which has the largest real distance to the {a}: {list}?",
        ),
    ),
    "localization.point_nearest": Form(
        mc=(
            "Which point (x, y in percent of the picture) is nearest to the {a} in space?",
            "Points are (x, y) in percent of the picture: which is closest to the {a} in the real scene?",
            "Which point (x, y in percent of the picture) has the smallest real distance to the {a}?",
        )
    ),
    "localization.point_between": Form(
        mc=(
            "Which point (x, y in percent of the picture) is on the floor between the {a} and the {b}?",
            "Points are (x, y) in percent of the picture: which is on the floor between the {a} and the {b}?",
            "Between the {a} and the {b}, which point (x, y in percent of the picture) is on the floor?",
        )
    ),
    "localization.point_front": Form(
        mc=(
            "Which point (x, y in percent of the picture) is on the floor {d} from the {a} toward the camera?",
            "Points are (x, y) in percent of the picture: which is on the floor {d} from the {a} toward the camera?",
            "Going {d} from the {a} toward the camera, which point (x, y in percent of the picture) do you reach?",
        )
    ),
    "localization.point_near_camera": Form(
        mc=(
            "Which point (x, y in percent of the picture) is closest to the camera?",
            "Points are (x, y) in percent of the picture: which is nearest to the camera?",
            "Which point (x, y in percent of the picture) has the smallest distance to the camera?",
        )
    ),
    "localization.point_far_camera": Form(
        mc=(
            "Which point (x, y in percent of the picture) is farthest from the camera?",
            "Points are (x, y) in percent of the picture: which is most distant from the camera?",
            "Which point (x, y in percent of the picture) has the largest distance to the camera?",
        )
    ),
}

_ON_FLOOR = "Of these points (x, y in percent of the picture), which is on the floor"
MORE = {
    "localization.nearest_object": Form(
        mc=(
            "Measured in space, which of these is closest to the {a}?",
            "In three dimensions, which of these is nearest to the {a}?",
        ),
        open=(
            "Measured in space, which is closest to the {a}: {list}?",
            "In three dimensions, which is nearest to the {a}: {list}?",
        ),
    ),
    "localization.farthest_object": Form(
        mc=(
            "Measured in space, which of these is farthest from the {a}?",
            "In three dimensions, which of these is most distant from the {a}?",
        ),
        open=(
            "Measured in space, which is farthest from the {a}: {list}?",
            "In three dimensions, which is most distant from the {a}: {list}?",
        ),
    ),
    "localization.point_nearest": Form(
        mc=(
            "In three dimensions, which point (x, y in percent of the picture) is closest to the {a}?",
            "Which of these places, given as (x, y) in percent of the picture, is nearest to the {a} in space?",
        )
    ),
    "localization.point_between": Form(
        mc=(
            f"{_ON_FLOOR} between the {{a}} and the {{b}}?",
            "Which place on the floor, as (x, y) in percent of the picture, lies between the {a} and the {b}?",
        )
    ),
    "localization.point_front": Form(
        mc=(
            f"{_ON_FLOOR} {{d}} from the {{a}} toward the camera?",
            "Which place on the floor, as (x, y) in percent of the picture, is {d} from the {a} toward the camera?",
        )
    ),
    "localization.point_near_camera": Form(
        mc=(
            "At which point (x, y in percent of the picture) is what you see nearest to the camera?",
            "Which place, as (x, y) in percent of the picture, shows what is closest to the camera?",
        )
    ),
    "localization.point_far_camera": Form(
        mc=(
            "At which point (x, y in percent of the picture) is what you see farthest from the camera?",
            "Which place, as (x, y) in percent of the picture, shows what is most distant from the camera?",
        )
    ),
}
MEANINGS = {
    "localization.nearest_object": (NEAR, FAR),
    "localization.farthest_object": (FAR, NEAR),
    "localization.point_nearest": (NEAR, FAR),
    "localization.point_between": (r"floor.*between|[Bb]etween.*floor", NEAR + "|" + FAR),
    "localization.point_front": (r"\{d\} from the \{a\} toward the camera", NEAR + "|" + FAR),
    "localization.point_near_camera": (NEAR, FAR),
    "localization.point_far_camera": (FAR, NEAR),
}
FORMS = meant(_FORMS, MEANINGS, MORE)
