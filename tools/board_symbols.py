"""Makes the symbols of the page's board from Fluent Emoji (flat), so that they look the same without an emoji font.

npm pack @iconify-json/fluent-emoji-flat@1.2.6 && tar xzf iconify-json-fluent-emoji-flat-1.2.6.tgz
python tools/board_symbols.py package
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

BOARD = Path(__file__).resolve().parent.parent / "src" / "sensorium" / "serve" / "page" / "board"


def concepts() -> Iterator[tuple[str, str]]:
    """Id and character of every group and concept of the board."""
    for group in json.loads((BOARD / "concepts.json").read_text(encoding="utf-8"))["groups"]:
        yield f"group-{group['id']}", group["symbol"]
        for concept in group["concepts"]:
            yield concept["id"], concept["symbol"]


def symbols(package: Path) -> Iterator[str]:
    """A <symbol> for each, by its id."""
    icons, names = (json.loads((package / file).read_text(encoding="utf-8")) for file in ("icons.json", "chars.json"))
    for id_, character in concepts():
        points = [f"{ord(point):x}" for point in character]
        name = names.get("-".join(points)) or names["-".join(point for point in points if point != "fe0f")]
        name = icons["aliases"][name]["parent"] if name not in icons["icons"] else name
        body = re.sub(r'(?<=id=")|(?<=url\(#)|(?<=href="#)', f"{id_}-", icons["icons"][name]["body"])
        yield f'<symbol id="{id_}" viewBox="0 0 {icons["height"]} {icons["height"]}">{body}</symbol>'


def main(package: Path) -> None:
    content = "\n".join(symbols(package))
    (BOARD / "symbols.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg"><defs>\n{content}\n</defs></svg>\n', encoding="utf-8"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
