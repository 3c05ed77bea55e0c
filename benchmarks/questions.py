"""How fast questions are written from the facts of scenes, and whether they are balanced.

``PYTHONPATH=. python benchmarks/questions.py --media 12000`` prints time and data card; nothing is rendered.
"""

from __future__ import annotations

import argparse
import time
from random import Random

from recipes.scenes.atlas import Atlas
from recipes.scenes.episodes import MOVING, STILL, Making, episode

from sensorium.data.facts import Facts
from sensorium.grounding.card import Card
from sensorium.grounding.generate import Material, generate


def facts(count: int) -> list[Facts]:
    making, kinds = Making(side="test", side_px=64, atlas=Atlas()), [*STILL, *MOVING]
    found = []
    for number in range(count):
        random = Random(number)
        found.append(episode(random.choice(kinds), random, making, path=f"{number:06}").facts)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=int, default=12000)
    parser.add_argument("--count", type=int, default=100000)
    asked = parser.parse_args()
    known = facts(asked.media)
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    questions = generate(Material(known, [one.medium.path for one in known]), asked.count)
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    rate = len(questions) / cpu_s * 60
    print(f"{len(questions)} questions in {cpu_s:.1f} s of one core ({wall_s:.1f} s by the clock): {rate:.0f} a minute")
    print(Card(questions, known, 0).to_markdown())


if __name__ == "__main__":
    main()
