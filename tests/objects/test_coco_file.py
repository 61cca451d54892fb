"""The lazy reader of COCO files gives what `json` gives, names the place of a fault, and takes little memory."""

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudogd.errors import InputError
from pseudogd.objects.coco_file import CocoFile

VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
ROW = st.fixed_dictionaries({"image_id": st.integers(0, 2) | st.text(max_size=2)}, optional={"x": VALUE, "]": VALUE})


@settings(max_examples=80, deadline=None)
@given(st.lists(ROW, max_size=6), VALUE, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_the_same_annotations_as_json(tmp_path_factory, rows, other, indent, ascii_only):
    document = {"other": other, "images": [{"id": 0}], "annotations": rows, "more [": other, "categories": []}
    path = tmp_path_factory.mktemp("coco") / "a.json"
    path.write_text(json.dumps(document, indent=indent, ensure_ascii=ascii_only), encoding="utf-8")
    file = CocoFile(path)
    assert file.images == [{"id": 0}] and file.categories == []
    for key in {row["image_id"] for row in rows}:
        assert file.annotations_of(key) == [row for row in rows if row["image_id"] == key]
    assert file.annotations_of("nobody's") == []
    assert file.without_outline == sum(not row.get("segmentation") for row in rows)


def whole():
    return json.dumps({"images": [{"id": 1}], "annotations": [{"image_id": 1, "segmentation": [[1, 2, 3]]}] * 3})


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_file_that_ends_too_early_is_one_line_with_the_place(tmp_path, share):
    path = tmp_path / "cut.json"
    path.write_text(whole()[: int(share * len(whole()))])
    with pytest.raises(InputError, match=r"cut\.json: not a JSON file .*line 1 column \d+ \(char \d+\)") as caught:
        CocoFile(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "spoil", ["{} more", "{},", '{"images": [] "annotations": []}', '{"images": [],}', "{1: 2}", "nul"]
)
def test_what_is_no_json_is_refused_as_json_refuses_it(tmp_path, spoil):
    path = tmp_path / "bad.json"
    path.write_text(spoil)
    with pytest.raises(json.JSONDecodeError):
        json.loads(spoil)
    with pytest.raises(InputError, match="not a JSON file"):
        CocoFile(path)


def test_a_fault_deep_inside_is_named_by_line(tmp_path):
    lines = json.dumps(json.loads(whole()), indent=1).splitlines()
    lines[12] = lines[12] + " oops"
    path = tmp_path / "bad.json"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match="line 13 "):
        CocoFile(path)


def test_of_two_lists_the_last_counts(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"images": [], "annotations": [{"image_id": 1}], "annotations": [{"image_id": 2}]}')
    assert CocoFile(path).annotations_of(1) == [] and len(CocoFile(path).annotations_of(2)) == 1


@pytest.mark.slow
def test_a_file_of_200_mb_takes_little_more_than_its_text(tmp_path):
    outline = [[round(0.37 * k, 2) for k in range(2000)]]
    row = json.dumps({"segmentation": outline, "id": 0, "image_id": 0})
    count = 200_000_000 // len(row)
    path = tmp_path / "large.json"
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"images": [], "annotations": [')
        file.writelines(f'{row[:-1]}, "image_id": {k % 50}}}, ' for k in range(count))
        file.write(f'{row}], "categories": []}}')
    size = path.stat().st_size
    code = f"""
import resource
from pseudogd.objects.coco_file import CocoFile
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
file = CocoFile({str(path)!r})
assert len(file.annotations_of(7)) == {len(range(7, count, 50))}
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / {size})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    path.unlink()
    assert size > 200_000_000 and float(done.stdout) < 2.6
