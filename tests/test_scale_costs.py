"""The table of costs is plain arithmetic on what the benchmarks print."""

import importlib.util
from pathlib import Path

spec = importlib.util.spec_from_file_location("scale_costs", Path(__file__).parents[1] / "tools" / "scale_costs.py")
scale_costs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(scale_costs)


def test_hours_bytes_and_dollars():
    label = {
        "photos_per_second": {"label": 100.0},
        "storage": {"compact_maps": {"bytes_per_photo_of_4_to_3": 90_000}},
    }
    synth = {"ms_per_photo": {"synth": {"cpu": 36.0}}, "questions_per_photo": 20.0}
    given = {"photos": 3_600_000, "gpus": 5, "cores": 9, "gpu_hour": 2.0, "core_hour": 0.1, "tb_month": 20.0}
    text = scale_costs.table(label, synth, {**given, "maps": "compact_maps"})
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert cells[0][1] == "of 3,600,000 photos"
    assert cells[2] == ["label", "100 photos/s a GPU: 10 GPU hours", "2 on 5 GPUs", "20"]
    assert cells[3] == ["synth", "72,000,000 questions: 36 core hours", "4 on 9 cores", "3.6"]
    assert cells[4] == ["geometry on disk", "90 kB a photo: 0.32 TB", "", "6.5 a month"]
