"""From boxes to named things: what is filtered, what makes names ambiguous, and one bad photo of a batch."""

import numpy as np
import pytest
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.objects.checkpoints import OutOfMemory
from pseudogd.objects.detectors.base import Detections, Detector, Prepared, to_detections
from pseudogd.objects.masks import decode
from pseudogd.objects.open_vocabulary import Filters, OpenVocabulary

PAINT = {"chair": (200, 20, 30), "table": (30, 60, 200)}


class Swatches(Detector):
    """Finds swatches of exact colours; the green of the pixel's neighbour says nothing. A box's score is in its alpha.

    A detector as any other, whose answers are known: photos are painted with what it is to find.
    """

    def __init__(self, boxes, threshold=0.5, doubt=0.3, spoiled=()):
        self.classes, self.threshold, self.doubt = list(PAINT), threshold, doubt
        self.settings = {"detector": "swatches"}
        self.boxes, self.spoiled, self.batches = boxes, spoiled, []

    def prepare(self, image):
        return Prepared(np.asarray(image, np.float32).transpose(2, 0, 1), image.size)

    def detect(self, batch):
        self.batches.append(len(batch))
        for one in batch:
            if (one.pixels[:, 0, 0] == 13).all():
                raise RuntimeError("no thirteen\nplease")
        return [
            Detections(
                np.array([b[:4] for b in self.boxes], float).reshape(-1, 4),
                np.array([b[4] for b in self.boxes], float),
                np.array([self.classes.index(b[5]) for b in self.boxes], np.int64),
            )
            for _ in batch
        ]


def photo(first=0):
    pixels = np.full((100, 200, 3), 255, np.uint8)
    pixels[0, 0] = first
    return Image.fromarray(pixels)


def read(boxes, filters=None, **options):
    source = OpenVocabulary(Swatches(boxes, **options), None, filters or Filters(), "swatches:x")
    return source.infer([source.prepare(photo())])[0]


def names(found):
    return [row["name"] for row in found.rows]


def test_rows_are_plain_and_in_pixels():
    (row,) = read([(10, 20, 60.5, 80, 0.9, "chair")]).rows
    assert row == {
        "object_id": "0", "name": "chair", "category": "chair", "bbox": [10, 20, 50.5, 60], "rle": None,
        "score": 0.9, "source": "swatches:x", "attributes": {},
    }  # fmt: skip


def test_two_of_a_kind_are_told_apart_by_their_place():
    found = read([(10, 20, 50, 80, 0.9, "chair"), (100, 20, 150, 80, 0.8, "chair"), (60, 5, 90, 30, 0.7, "table")])
    assert names(found) == ["left chair", "right chair", "table"]


def test_a_doubtful_box_is_no_thing_but_makes_the_word_ambiguous():
    found = read([(10, 20, 50, 80, 0.9, "chair"), (100, 20, 150, 80, 0.4, "chair"), (60, 5, 90, 30, 0.7, "table")])
    assert names(found) == ["table"]
    assert found.left_out == ["chair at 10,20 to 50,80 (0.90): no words point at it alone"]
    assert found.failures == []


@pytest.mark.parametrize(
    "box, reason",
    [
        ((10, 20, 13, 22, 0.9, "chair"), "covers 0.03 % of the photo"),
        ((0, 0, 200, 100, 0.9, "chair"), "covers 1e+02 % of the photo"),
        ((0, 50, 200, 52, 0.9, "chair"), "100 times as long as wide"),
    ],
)
def test_boxes_that_are_no_things_are_left_out_with_the_reason(box, reason):
    found = read([box, (60, 5, 90, 30, 0.7, "table")])
    assert names(found) == ["table"] and reason in found.left_out[0]


def test_the_best_so_many_and_the_rest_still_makes_words_ambiguous():
    found = read([(60, 5, 90, 30, 0.9, "table"), (10, 20, 50, 80, 0.8, "chair"), (100, 20, 150, 80, 0.7, "chair")],
                 Filters(max_objects=2))  # fmt: skip
    assert names(found) == ["table"]
    assert "2 better ones are there" in " ".join(found.left_out)


def test_parts_groups_and_doubles_go():
    found = read(
        [
            (10, 20, 50, 80, 0.9, "chair"), (12, 22, 50, 80, 0.8, "chair"), (12, 40, 30, 60, 0.7, "chair"),
            (100, 20, 130, 80, 0.6, "table"), (140, 20, 170, 80, 0.6, "table"), (98, 18, 172, 82, 0.7, "table"),
            (10, 20, 50, 81, 0.5, "table"),
        ]
    )  # fmt: skip
    assert names(found) == ["chair", "left table", "right table"] and found.left_out == []


def test_one_bad_photo_fails_alone():
    source = OpenVocabulary(Swatches([(10, 20, 50, 80, 0.9, "chair")]), None, Filters(), "s")
    found = source.infer([source.prepare(photo(first)) for first in (0, 13, 7)])
    assert names(found[0]) == names(found[2]) == ["chair"]
    assert isinstance(found[1], RuntimeError)
    assert source.detector.batches == [3, 1, 1, 1]


def test_memory_is_no_fault_of_a_photo():
    class Hungry(Swatches):
        def detect(self, batch):
            raise OutOfMemory("detector: use a smaller batch_size=")

    source = OpenVocabulary(Hungry([]), None, Filters(), "s")
    with pytest.raises(OutOfMemory):
        source.infer([source.prepare(photo()), source.prepare(photo())])


class Boxy:
    """A segmenter whose masks are given shares of the asked boxes."""

    def __init__(self, shape, score=0.9):
        self.shape, self.score, self.settings = shape, score, {"segmenter": "boxy"}

    def prepare(self, image):
        from pseudogd.objects.segmenters import Frame, Framed

        return Framed(np.zeros((3, 4, 4), np.float32), Frame(image.size, (4, 4), (4, 4)))

    def features(self, batch):
        return [None if one is None else one.frame for one in batch]

    def masks(self, features, frame, boxes):
        for x0, y0, x1, y1 in boxes.astype(int):
            mask = np.zeros(frame.photo[::-1], bool)
            w, h = x1 - x0, y1 - y0
            mask[y0 : y0 + int(self.shape[1] * h), x0 : x0 + int(self.shape[0] * w)] = True
            yield mask, self.score


def masked(shape, score=0.9, pixels=None):
    boxes = [(10, 20, 50, 80, 0.9, "chair"), (100, 20, 150, 80, 0.8, "chair")]
    source = OpenVocabulary(Swatches(boxes), Boxy(shape, score), Filters(), "s")
    return source.infer([source.prepare(photo() if pixels is None else Image.fromarray(pixels))])[0]


def test_masks_are_stored_and_their_box_is_the_things():
    found = masked((1, 0.5))
    assert [row["bbox"] for row in found.rows] == [[10, 20, 40, 30], [100, 20, 50, 30]]
    assert decode(found.rows[0]["rle"]).sum() == 40 * 30
    assert found.rows[0]["attributes"] == {"color": "white"}


@pytest.mark.parametrize(
    "shape, score, reason", [((0.2, 0.2), 0.9, "fills 4 %"), ((1.5, 1), 0.9, "lies outside"), ((1, 1), 0.3, "not sure")]
)
def test_bad_masks_are_left_out_with_the_reason(shape, score, reason):
    found = masked(shape, score)
    assert found.rows == [] and len(found.left_out) == 2 and all(reason in line for line in found.left_out)


def test_measured_colours_tell_things_apart():
    pixels = np.asarray(photo()).copy()
    pixels[20:80, 10:50], pixels[20:80, 100:150] = PAINT["chair"], PAINT["table"]
    found = masked((1, 1), pixels=pixels)
    assert names(found) == ["red chair", "blue chair"]
    assert [row["attributes"]["color"] for row in found.rows] == ["red", "blue"]


def test_a_doubtful_box_round_a_sure_one_is_that_one():
    found = read([(20, 20, 50, 60, 0.9, "chair"), (5, 5, 90, 95, 0.4, "chair")])
    assert names(found) == ["chair"] and found.rows[0]["bbox"] == [20, 20, 30, 40]


class Fixed(Boxy):
    """Masks by the place of the box."""

    def __init__(self, masks):
        super().__init__((1, 1))
        self.given = masks

    def masks(self, features, frame, boxes):
        for box in boxes.astype(int).tolist():
            mask = np.zeros(frame.photo[::-1], bool)
            for x0, y0, x1, y1 in self.given[tuple(box)]:
                mask[y0:y1, x0:x1] = True
            yield mask, 0.9


def test_a_box_in_a_larger_one_is_a_part_or_another_thing_and_the_masks_say_which():
    large, small = (10, 10, 110, 90), (20, 50, 60, 88)
    boxes = [(*large, 0.9, "chair"), (*small, 0.8, "chair")]
    for hole, expected in (([(10, 10, 110, 90)], ["chair"]), ([(10, 10, 110, 45), (65, 45, 110, 90)], [])):
        source = OpenVocabulary(Swatches(boxes), Fixed({large: hole, small: [small]}), Filters(), "s")
        assert names(source.infer([source.prepare(photo())])[0]) == expected


@pytest.mark.parametrize("name, value", [("nms", 1.5), ("min_area", -0.1), ("max_objects", "x"), ("contained", True)])
def test_filters_out_of_range_are_one_line(name, value):
    with pytest.raises(InputError, match=f"{name} = "):
        Filters(**{name: value})


def test_boxes_are_cut_at_the_border_and_numbers_that_are_none_are_dropped():
    boxes = np.array([[0.5, 0.5, 2.0, 2.0], [0.5, 0.5, np.nan, 0.1], [1.5, 0.5, 0.1, 0.1], [0.25, 0.5, 0.5, 0.5]])
    scores = np.array([0.9, 0.9, 0.9, np.nan])
    found = to_detections(boxes, scores, np.zeros(4, np.int64), (200, 100), (200, 100), 0.1)
    assert found.boxes.tolist() == [[0, 0, 200, 100]]
