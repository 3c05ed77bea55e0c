"""Boxes and actions: lists with labels keep their meaning in files and codes; wrong ones are refused in a sentence."""

import json

import numpy as np
import pytest

from sensorium.codecs.contract import check_codec
from sensorium.families.dct import DCTCodec
from sensorium.families.uniform import UniformCodec
from sensorium.modalities import Wish, coco, modality
from sensorium.modalities.contract import check_modality
from sensorium.types import InputError, Signal

BOXES, ACTIONS = modality("boxes"), modality("actions")
FRAME = (64.0, 48.0)


def pets(shift: float = 0.0) -> Signal:
    corners = [[1 + shift, 2, 30, 40], [20, 10, 60.5, 44], [33, 11.25, 33, 11.25]]
    return BOXES.check(Signal(np.array(corners), frame=FRAME, labels=("cat", "dog", "nose")))


def drawn_line(rows: int = 5) -> Signal:
    time = np.linspace(0, 2, rows)
    kinds = ("press", *["move"] * (rows - 2), "release")
    array = np.stack([time, 10 + 20 * time, 40 - 9 * time, time * 0 + 0.5], 1)
    return ACTIONS.check(Signal(array, frame=FRAME, labels=kinds))


def test_the_contract_of_boxes():
    bare = np.array([[1, 2, 3, 4.5]])
    check_modality(BOXES, [pets(), pets(4), bare, {"boxes": [{"point": [1, 2]}]}, Signal(bare, labels=("ein Hund",))])


def test_the_contract_of_actions():
    check_modality(ACTIONS, [drawn_line(), drawn_line(9), [{"time": 0.5}], [{"time": 1, "kind": "key Enter"}]])


def test_what_is_written_reads_plainly():
    assert json.loads(BOXES.to_bytes(pets())) == {
        "frame": [64, 48],
        "boxes": [
            {"label": "cat", "box": [1, 2, 30, 40]},
            {"label": "dog", "box": [20, 10, 60.5, 44]},
            {"label": "nose", "point": [33, 11.25]},
        ],
    }
    assert json.loads(ACTIONS.to_bytes(drawn_line(3)))["events"][1] == {
        "kind": "move", "time": 1, "x": 30, "y": 31, "value": 0.5,
    }  # fmt: skip
    for kind, signal in ((BOXES, pets()), (ACTIONS, drawn_line())):
        assert kind.open(kind.to_bytes(signal)) == signal


COCO = {
    "images": [{"id": 7, "width": 64, "height": 48, "file_name": "a.png"}, {"id": 8, "width": 9, "height": 9}],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": [
        {"image_id": 7, "category_id": 2, "bbox": [1, 2, 10, 20]},
        {"image_id": 7, "category_id": 1, "bbox": [0, 0, 64, 48]},
    ],
}


def test_coco_annotations():
    found = BOXES.open(json.dumps(COCO).encode())
    assert found.array.tolist() == [[1, 2, 11, 22], [0, 0, 64, 48]]
    assert (found.labels, found.frame) == (("dog", "cat"), (64, 48))
    two = COCO | {"annotations": [*COCO["annotations"], {"image_id": 8, "category_id": 1, "bbox": [1, 1, 2, 2]}]}
    assert set(coco.signals(two)) == {"a.png", "8"}
    with pytest.raises(InputError, match="boxes of 2 pictures"):
        BOXES.open(two)
    with pytest.raises(InputError, match="'bbox' is missing"):
        BOXES.open(COCO | {"annotations": [{"image_id": 7}]})


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        ([{"point": [10**400, 1]}], "a list of 2 numbers"),
        ([{"point": [1e300, 1]}], "inf for x0"),
        (b"[]", "holds no boxes; give one"),
        (b'{"boxes": []}', "holds no boxes; give one"),
        ([{"label": "cat"}], "None where a list of 4 numbers"),
        ([{"box": [1, 2, 3, "4"]}], "box 1 of the boxes has .*'4'"),
        ([{"box": [3, 2, 1, 4]}], "corners of row 1 swapped"),
        ([{"box": [1, 2, 3, 4]}, {"label": "cat", "box": [1, 2, 3, 4]}], "give a word for each"),
        ({"frame": [64, 48], "boxes": [{"box": [1, 2, 65, 4]}]}, r"\(65, 4\) in row 1, outside the frame of 64 x 48"),
        ({"frame": [64, 48], "boxes": [{"point": [-1, 2]}]}, "outside the frame"),
        ({"frame": [64], "boxes": [{"point": [1, 2]}]}, "the frame of the boxes has"),
        ({"frame": [0, 5], "boxes": [{"point": [1, 2]}]}, "above 0"),
        (b'[{"box": [NaN, 2, 3, 4]}]', "nan for x0 in row 1"),
        (np.ones((3, 5)), "rows of the numbers x0, y0, x1, y1"),
        (np.zeros((0, 4)), "rows of the numbers"),
    ],
)
def test_bad_boxes_are_refused_in_one_sentence(bad, said):
    with pytest.raises(InputError, match=said) as caught:
        BOXES.open(bad)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"[]", "must hold a list of events"),
        ([{"kind": "move"}], "event 1 of the actions has no time"),
        ([{"time": 2}, {"time": 1}], "time 1 s in row 2, before the one above"),
        ([{"time": -1}], "time -1 s in row 1"),
        ([{"time": "now"}], "'now' for 'time'"),
        ([{"time": True}], "True for 'time'"),
        ({"frame": [64, 48], "events": [{"time": 0, "x": 70}]}, r"\(70, 0\) in row 1, outside the frame"),
        (b'[{"time": 0, "value": Infinity}]', "inf for value"),
        (np.ones((2, 3)), "time, x, y, value"),
    ],
)
def test_bad_actions_are_refused_in_one_sentence(bad, said):
    with pytest.raises(InputError, match=said) as caught:
        ACTIONS.open(bad)
    assert "\n" not in str(caught.value)


def test_an_event_without_a_place_happens_where_the_last_did():
    found = ACTIONS.open([{"time": 0, "kind": "move", "x": 5, "y": 6}, {"time": 1, "kind": "key a"}])
    assert found.array.tolist() == [[0, 5, 6, 0], [1, 5, 6, 0]]


def test_measures_of_boxes():
    assert BOXES.measures(pets(), pets()) == {"mean_iou": 1.0, "labels": 1.0}
    half = BOXES.check(Signal(np.array([[0, 0, 10, 10], [40, 40, 44, 44]]), labels=("cat", "cow"), frame=FRAME))
    whole = BOXES.check(Signal(np.array([[0, 0, 20, 20]]), labels=("cat",), frame=(128.0, 96.0)))
    assert BOXES.measures(half, whole) == {"mean_iou": 0.5, "labels": 0.5}
    renamed = Signal(half.array, labels=("dog", "cow"), frame=FRAME)
    assert BOXES.measures(half, renamed) == {"mean_iou": 0.5, "labels": 0.5}


def test_measures_of_actions():
    line = drawn_line(5)
    assert ACTIONS.measures(line, line) == {"edits": 0.0, "time_error_s": 0.0, "place_error": 0.0}
    late = Signal(line.array + np.array([0.5, 3, 4, 0]), labels=line.labels)
    assert ACTIONS.measures(Signal(line.array, labels=line.labels), late) == pytest.approx(
        {"edits": 0.0, "time_error_s": 0.5, "place_error": 5.0}
    )
    shorter = Signal(line.array[:4], labels=(*line.labels[:3], "key"), frame=FRAME)
    assert ACTIONS.measures(line, shorter)["edits"] == pytest.approx(0.4)


def test_previews_show_every_box_and_kind():
    assert BOXES.preview(pets(), 128).shape == (96, 128, 3)
    assert (BOXES.preview(pets(), 128) < 255).any(2).sum() > 300
    lanes = np.array_split((ACTIONS.preview(drawn_line(), 128) < 255).any(2), 3)
    assert all(lane.any() for lane in lanes)


def test_a_wished_frame_is_that_of_the_picture_as_the_codec_sees_it():
    found = BOXES.fit(pets(), Wish(size=(96, 128)))
    assert found.frame == (128, 96)
    assert found.array[0].tolist() == [2, 4, 60, 80]
    with pytest.raises(InputError, match="what frame"):
        BOXES.fit(Signal(np.ones((1, 4), np.float32)), Wish(size=(96, 128)))


def boxes_codec(**more) -> UniformCodec:
    return UniformCodec.learn([pets(), pets(5)], codes=65, name="boxes", modality="boxes", **more)


def actions_codec() -> UniformCodec:
    return UniformCodec(
        ("time", "x", "y", "value"),
        ranges=[(0, 2), (0, 64), (0, 48), (0, 1)],
        deltas=[0],
        bins=[41, 65, 49, 11],
        frame=FRAME,
        categories=("move", "press", "release"),
        name="actions",
        modality="actions",
    )


def test_the_codecs_keep_their_contract():
    check_codec(boxes_codec(), [pets(), pets(4)])
    check_codec(boxes_codec(frame=(128, 128), ranges=[(0, 128)] * 4), [pets(), pets(4)])
    check_codec(actions_codec(), [drawn_line(5), drawn_line(9)])


def test_boxes_come_back_within_half_a_level():
    codec = boxes_codec()
    (decoded,) = codec.decode(codec.encode([pets()]))
    assert (decoded.labels, decoded.frame) == (pets().labels, FRAME)
    assert np.abs(decoded.array - pets().array).max() <= 0.5
    assert BOXES.measures(pets(), decoded)["labels"] == 1
    with pytest.raises(InputError, match="label 'cow'; it knows cat, dog, nose"):
        codec.encode([Signal(np.ones((1, 4), np.float32), frame=FRAME, labels=("cow",))])
    with pytest.raises(InputError, match="a row without a label"):
        codec.encode([Signal(np.ones((1, 4), np.float32), frame=FRAME)])


def test_whatever_a_model_writes_is_canonical():
    generator = np.random.default_rng(0)
    for codec, kind in ((boxes_codec(), BOXES), (actions_codec(), ACTIONS)):
        for _ in range(20):
            frames = np.stack([generator.integers(0, size, 3) for size in codec.facts.codebook_sizes], 1)
            (written,) = codec.decode([codec.layout.join([], frames)])
            assert kind.check(written) == written


def test_actions_keep_kinds_order_and_times():
    codec, line = actions_codec(), drawn_line(9)
    (decoded,) = codec.decode(codec.encode([line]))
    assert decoded.labels == line.labels
    assert np.abs(decoded.array - line.array).max(0) == pytest.approx([0, 0, 0, 0], abs=0.51)


def test_a_steady_control_goes_as_coefficients():
    time = np.arange(32) / 10
    steering = [Signal(np.stack([time, time * 0, time * 0, np.sin(time + at)], 1)) for at in (0, 1)]
    media = [ACTIONS.check(one) for one in steering]
    codec = DCTCodec.learn(media, window=16, kept=6, codes=256, name="control", modality="actions")
    check_codec(codec, media)
    (decoded,) = codec.decode(codec.encode(media[:1]))
    assert np.abs(decoded.array[:, 3] - media[0].array[:, 3]).max() < 0.05


def test_one_box_without_a_label_is_enough():
    boxes = [BOXES.check(Signal(np.array([corners]), frame=FRAME)) for corners in ([1, 2, 30, 40], [5, 5, 9, 9])]
    codec = UniformCodec.learn(boxes, name="boxes", modality="boxes", codes=64)
    assert codec.facts.min_frames == codec.facts.max_frames == 1
    check_codec(codec, boxes)
