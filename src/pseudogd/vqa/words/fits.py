"""Whether a thing fits through a gap or on top of another."""

from __future__ import annotations

from pseudogd.vqa.phrasing import Form, meant

THROUGH = (
    "Upright and as it now faces the camera, would the {a} fit through the gap between the {b} and the {c}?",
    "Without turning or tilting it, could the {a} be moved through the gap between the {b} and the {c}?",
    "Is the gap between the {b} and the {c} wide enough for the {a}, upright and not turned?",
    "Kept upright and not turned, would the {a} pass between the {b} and the {c}?",
    "Could the {a}, upright and turned as now, pass between the {b} and the {c}?",
    "Does the {a}, upright and not turned, fit between the {b} and the {c}?",
)
TOO_WIDE = (
    "Upright and as it now faces the camera, is the {a} too wide to pass between the {b} and the {c}?",
    "Is the gap between the {b} and the {c} too narrow for the {a}, upright and not turned?",
)
ON_TOP = (
    "By its footprint, would the {a} fit on top of the {b}?",
    "Is the top of the {b} large enough for the whole base of the {a}?",
    "If the {a} were set upright on the {b}, would its base fit on the top?",
    "Going by real size alone, would the base of the {a} fit on the top of the {b}?",
    "By real size, does the whole base of the {a} fit on top of the {b}?",
    "Could the {a} be set upright on the {b} so that its whole base would fit on the top?",
)
TOO_LARGE = (
    "By its footprint, is the {a} too large to fit on top of the {b}?",
    "If the {a} were set upright on the {b}, would its base stick out over the edge of the top?",
)
FORMS = meant(
    {
        "fits.through": Form(
            mc=THROUGH,
            open=THROUGH,
            yesno={"yes": THROUGH, "no": TOO_WIDE},
            answers={"yes": "yes, it would fit", "no": "no, it is too wide"},
        ),
        "fits.on_top": Form(
            mc=ON_TOP,
            open=ON_TOP,
            yesno={"yes": ON_TOP, "no": TOO_LARGE},
            answers={"yes": "yes, it would fit", "no": "no, it is too large"},
        ),
    },
    {
        "fits.through": (r"between the \{b\} and the \{c\}", "too|top"),
        "fits.on_top": (r"\{b\}.*\{a\}|\{a\}.*\{b\}", "too|between"),
    },
    yes=r"^(?!.*(\btoo\b|stick out)).*(fit|wide enough|moved|pass between|large enough)",
    no=r"too wide|too narrow|too large|stick out",
)
