"""SVG drawings to PNG. They may come from strangers: one may not draw other files, and stays small whatever it says."""

from __future__ import annotations

from xml.parsers import expat

from sensorium.types import InputError

SIDE_PX = 512


def is_svg(data: bytes) -> bool:
    head = data[:5000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith(b"<svg") or (head.startswith((b"<?xml", b"<!--", b"<!doctype")) and b"<svg" in head)


def to_png(data: bytes, where: str, side_px: int = SIDE_PX) -> bytes:
    """An SVG as PNG, its longer side ``side_px``: with one side alone a narrow drawing would fill the memory.

    Raises:
        InputError: it cannot be drawn, draws another file, or the extra ``svg`` is not installed.
    """
    try:
        import resvg_py
    except ImportError as error:
        raise InputError(f"{where} is an SVG; install the extra to open it: pip install 'sensorium[svg]'") from error
    try:
        _check_is_alone(data, where)
        drawn = resvg_py.svg_to_bytes(svg_string=data.decode("utf-8-sig"), width=side_px, height=side_px)
    except InputError:
        raise
    except Exception as error:  # the parser and resvg raise kinds of their own, all meaning that it cannot be drawn
        raise InputError(f"{where} is an SVG that cannot be drawn ({error}); save it again") from error
    return bytes(drawn)


def _check_is_alone(data: bytes, where: str) -> None:
    """resvg would draw any picture file of this machine that an SVG names."""

    def look(tag: str, attributes: dict[str, str]) -> None:
        for name, value in attributes.items():
            outside = name.endswith("href") and not value.strip().lower().startswith(("data:", "#"))
            if outside and tag.lower().endswith("image"):
                raise InputError(f"{where} is an SVG that draws another file, {value[:100]!r}; embed it as data")

    parser = expat.ParserCreate()
    parser.StartElementHandler = look
    parser.Parse(data, True)
