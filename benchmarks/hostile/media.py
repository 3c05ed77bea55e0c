"""Media that break decoders or keep them busy, addresses that lead elsewhere, and workers that are killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from benchmarks.hostile.asking import CHAT, TOKENIZE, as_uri, chat_body, image_part, png
from benchmarks.hostile.attack import Attack, many

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="4096" height="4096">'
SVG_KIND = "image/svg+xml"


def turbulent(seed: int) -> bytes:
    """A few hundred bytes that take a renderer minutes."""
    noise = f'<feTurbulence baseFrequency="0.{seed % 9 + 1}" numOctaves="1000" seed="{seed}"/>'
    filtered = f'<filter id="a" x="0" y="0" width="1" height="1">{noise}</filter>'
    return f'{SVG}{filtered}<rect width="4096" height="4096" filter="url(#a)"/></svg>'.encode()


def _nested_svg(depth: int) -> bytes:
    return (SVG + "<g>" * depth + "</g>" * depth + "</svg>").encode()


def _used_svg(levels: int) -> bytes:
    """Each group shows the one before ten times."""
    groups = ['<g id="g0"><rect width="9" height="9"/></g>']
    for level in range(levels):
        groups.append(f'<g id="g{level + 1}">' + f'<use xlink:href="#g{level}"/>' * 10 + "</g>")
    return (SVG + "<defs>" + "".join(groups) + f'</defs><use xlink:href="#g{levels}"/></svg>').encode()


def _entities() -> bytes:
    pairs = zip("abcdefgh", "bcdefghi", strict=True)
    grown = "".join(f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in pairs)
    return f'<!DOCTYPE s [<!ENTITY a "aaaaaaaaaa">{grown}]>{SVG}<text>&i;</text></svg>'.encode()


def _chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def bomb_png(side_px: int) -> bytes:
    """So many pixels a side in a few kilobytes."""
    head = side_px.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    rows = zlib.compress(bytes(min(side_px * (3 * side_px + 1), 50_000_000)), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _text_bomb() -> bytes:
    """A small picture with a compressed text of 100 MB beside it."""
    whole = png()
    text = _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000), 9))
    return whole[:33] + text + whole[33:]


def huge_gif(frames: int) -> bytes:
    """65,535 pixels a side, and so many frames of nothing."""
    frame = b"!\xf9\x04\0\0\0\0\0" + b",\0\0\0\0\xff\xff\xff\xff\0\x02\x02L\x01\0"
    return b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff" + frame * frames + b";"


def fixed_media() -> dict[str, Callable[[], bytes]]:
    """By name; made when asked for. All are to be refused, or read within the limits."""
    return {
        "nested SVG": lambda: _nested_svg(200_000),
        "less nested SVG": lambda: _nested_svg(3000),
        "SVG of uses": lambda: _used_svg(12),
        "SVG of entities": _entities,
        "SVG of files": lambda: f'{SVG}<image href="/etc/passwd" width="9" height="9"/></svg>'.encode(),
        "SVG of addresses": lambda: f'{SVG}<image href="http://127.0.0.1:1/a" width="9" height="9"/></svg>'.encode(),
        "SVG of a huge size": lambda: SVG.replace("4096", "4e9").encode() + b"</svg>",
        "SVG of itself": lambda: f'{SVG}<g id="a"><use xlink:href="#a"/></g></svg>'.encode(),
        "bomb PNG": lambda: bomb_png(60_000),
        "large PNG": lambda: bomb_png(6000),
        "text bomb PNG": _text_bomb,
        "huge GIF": lambda: huge_gif(1),
        "GIF of frames": lambda: huge_gif(50_000),
        "BMP of a huge size": lambda: b"BM" + bytes(16) + (2**31 - 1).to_bytes(4, "little") * 2 + bytes(60),
        "TIFF of itself": lambda: b"II*\0\x08\0\0\0" + b"\xff\xff" + bytes(12) * 500,
        "ICO": lambda: b"\0\0\1\0\xff\xff" + b"\xff" * 2000,
        "WebP": lambda: b"RIFF\xff\xff\xff\xffWEBPVP8X" + bytes(60),
        "PDF": lambda: b"%PDF-1.7\n" + b"1 0 obj<<>>endobj\n" * 1000,
        "PostScript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n{} loop\n",
        "zip": lambda: b"PK\3\4" + bytes(1000),
        "nothing": lambda: b"",
        "zeros": lambda: bytes(1_000_000),
    }


def _bodies(model: str, uri: str, number: int) -> tuple[str, dict[str, Any]]:
    """The medium in a chat or a tokenisation, in turn."""
    if number % 2:
        return TOKENIZE, {"model": model, "content": [image_part(uri)]}
    return CHAT, chat_body(model, [image_part(uri), {"type": "text", "text": "?"}], modalities=["text"], max_tokens=4)


async def bad_media(attack: Attack, count: int) -> None:
    """Bombs and damaged files of many kinds."""
    whole, chance = png(), attack.chance
    made: dict[str, str] = {}

    def medium(number: int) -> tuple[str, str]:
        names = list(fixed_media())
        if number % 10 == 0 or number < len(names):
            name = names[number % len(names)]
            if name not in made:
                kind = SVG_KIND if "SVG" in name else "image/png"
                made[name] = as_uri(fixed_media()[name](), kind)
            return name, made[name]
        if number % 3 == 0:
            return "cut", as_uri(whole[: chance.randrange(len(whole) - 40)])
        if number % 3 == 1:
            return "random", as_uri(chance.randbytes(chance.randrange(2000)))
        return "changed", as_uri(
            _changed(whole, chance), chance.choice(("image/png", "image/svg+xml", "text/html", "a"))
        )

    async with attack.client() as client:

        async def one(number: int) -> None:
            name, uri = medium(number)
            path, body = _bodies(attack.model, uri, number)
            await attack.send(client, name, path, body)

        await many((one(number) for number in range(count)), 4)


def _changed(whole: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(whole))
    return whole[:place] + chance.randbytes(4) + whole[place + 4 :]


async def slow_media(attack: Attack, count: int) -> None:
    """Small drawings that take minutes to render, a dozen at a time."""
    async with attack.client() as client:

        async def one(number: int) -> None:
            path, body = _bodies(attack.model, as_uri(turbulent(number), SVG_KIND), number)
            await attack.send(client, "turbulence", path, body)

        await many((one(number) for number in range(count)), 12)


def prepare_folder(folder: Path) -> None:
    """A folder of media with traps in it."""
    (folder / "fine.png").write_bytes(png())
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "outside.png").symlink_to("/etc/passwd")
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "inner").mkdir()
    with contextlib.suppress(OSError, AttributeError):
        os.mkfifo(folder / "pipe.png")
    with open(folder / "large.png", "wb") as file:
        file.truncate(2**33)  # sparse: takes no room


def addresses() -> Iterator[str]:
    """``file:`` and http addresses, one of which is fine."""
    yield from (f"file:///{name}.png" for name in ("loop", "outside", "device", "pipe", "large", "missing", "fine"))
    yield from (
        "file:///inner", "file:///.", "file:///", "file:", "file://", "file:///../../../etc/passwd", "file:////etc/passwd",
        "file:///%2e%2e/%2e%2e/etc/passwd", "file:///" + "a" * 5000 + ".png", "file:///a%00.png", "file://evil.com/fine.png",
        "file:///fine.png%00", "file:///" + "inner/../" * 2000 + "fine.png", "file:///\ud800.png", "FILE:///fine.png?a#b",
        "http://127.0.0.1/", "http://localhost/", "http://localhost:22/", "https://localhost/", "http://[::1]/",
        "http://0/", "http://0x7f000001/", "http://2130706433/", "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:127.0.0.1]/", "http://localhost@evil.com/", "http://evil.com@localhost/", "http://LOCALHOST./",
        "http://localhost\r\n/", "http://[", "http://localhost:99999/", "//localhost/", "ftp://localhost/", "http:",
        "gopher://localhost/", "data:", "data:,", "data:;base64,=", "data:image/png;base64," + "%41" * 10_000, "blob:a",
        "javascript:a", "\0", " " * 1000, "a" * 100_000,
    )  # fmt: skip


async def bad_addresses(attack: Attack, count: int) -> None:
    """Media by addresses of files and hosts that must not be reached, and some that are traps."""
    known = list(addresses())
    async with attack.client() as client:

        async def one(number: int) -> None:
            path, body = _bodies(attack.model, known[number % len(known)], number)
            reply = await attack.send(client, known[number % len(known)][:60], path, body)
            if reply is not None and b"root:" in reply.content:
                attack.tally.answer(False, "a file of this machine is shown")

        await many((one(number) for number in range(count)), 8)


async def worker_kills(attack: Attack, count: int) -> None:
    """SIGKILL for the processes that open media, while pictures are read; their readers are told to ask again."""
    killed, done = 0, asyncio.Event()

    async def kill() -> None:
        nonlocal killed
        while not done.is_set():
            for worker in attack.server.workers()[:1]:
                with contextlib.suppress(psutil.Error):
                    worker.kill()
                    killed += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), 0.5)

    async with attack.client() as client:

        async def one(number: int) -> None:
            path, body = _bodies(attack.model, as_uri(png("blue", number % 8)), number)
            await attack.send(client, "a picture", path, body)

        killing = asyncio.ensure_future(kill())
        try:
            await many((one(number) for number in range(count)), 4)
        finally:
            done.set()
            await killing
    attack.tally.notes["workers killed"] = killed
