"""Parts and messages: short to print, visible in notebooks, refused in a sentence when they cannot be understood."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sensorium.types import InputError, Part, as_message

PICTURE = np.zeros((40, 60, 3), np.uint8)


def test_a_part_prints_its_arrays_by_their_shape():
    part = Part("image", PICTURE).with_codes(np.zeros((64, 1), np.int64), "toy")
    assert repr(part) == "Part('image', data=<uint8 (40, 60, 3)>, codes=<int64 (64, 1)>, codec='toy')"
    assert repr(Part("image", b"abc")) == "Part('image', data=<3 bytes>)"
    assert repr(Part("text", "hi")) == "Part('text', data='hi')"


def test_notebooks_show_a_medium(tmp_path):
    shown = Part("image", PICTURE)._repr_png_()
    assert shown is not None
    assert shown.startswith(b"\x89PNG")
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    assert Part("image", tmp_path / "a.png")._repr_png_() == shown
    assert Part("text", "hi")._repr_png_() is None


@pytest.mark.parametrize("value", [PICTURE, Image.fromarray(PICTURE), Path("cat.png"), None, 3])
def test_what_is_neither_a_string_nor_a_part_is_refused(value):
    for content in (value, [value, "What is this?"]):
        with pytest.raises(InputError, match="made of strings and parts, not"):
            as_message("user", content)
