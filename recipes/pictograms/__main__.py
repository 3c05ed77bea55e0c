"""``python -m recipes.pictograms pictures``: fetch, draw and describe the pictures."""

from __future__ import annotations

import sys

from recipes.pictograms import pictures

from sensorium.types import InputError

USAGE = "usage: python -m recipes.pictograms pictures"


def main(arguments: list[str]) -> int:
    if arguments != ["pictures"]:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        print(pictures.make())
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
