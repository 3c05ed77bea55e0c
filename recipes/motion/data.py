"""Writing clips as GIF files, their facts, and conversations about them, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated, get_args

import typer
from recipes.motion.makers import SHARES, Episode, episode
from recipes.motion.moved import atlas_of
from recipes.motion.questions import ANIMATED
from recipes.motion.sources import SOURCES
from recipes.scenes.atlas import Atlas
from recipes.scenes.drawings import STYLES, have_drawings
from recipes.scenes.folder import claim, write_text

from sensorium.data.conversations import write_conversations
from sensorium.data.facts import write_facts
from sensorium.data.fetch import attribution
from sensorium.data.table import Side
from sensorium.files import cache_dir
from sensorium.modalities import modality
from sensorium.types import Conversation, Part

VERSION = 1  # raise it when the same seed gives other clips
ABOUT = """Clips were made by the recipe `motion`. Those of moved shapes, with facts and conversations, are free of
rights (CC0-1.0); those of animated drawings show icons of the sets below, sampled into frames of 64 x 64 px."""
DRAWN = f" Moved drawings are of {' and '.join(STYLES)}; see `pictograms/ATTRIBUTION.md` of the cache folder."
Count = Annotated[int, typer.Option(min=0)]


@dataclass(frozen=True, kw_only=True)
class Writing:
    """What is written for one side: number i depends on ``seed``, the side and i only.

    Args:
        shares: odds of the kinds of first questions.
    """

    side: Side
    count: int
    shares: dict[str, float]
    seed: int
    atlas: Atlas
    folder: Path

    def run(self) -> None:
        """Make what is not there yet; then write the facts and the conversations."""
        made = [self._one(number) for number in range(self.count)]
        write_facts((one.clip.facts for one, _ in made), self.folder / "facts.jsonl")
        write_conversations((talk for _, talk in made), self.folder / "conversations.jsonl")

    def _one(self, number: int) -> tuple[Episode, Conversation]:
        random, path = Random(f"{self.seed}:{self.side}:{number}"), f"clips/{number:06}.gif"
        kind = random.choices(list(self.shares), list(self.shares.values()))[0]
        made, file = episode(kind, random, self.side, self.atlas, path), self.folder / path
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            modality("video").save(made.clip.part.data, file)
        return made, _with_file(made.conversation, file)


def _with_file(talk: Conversation, file: Path) -> Conversation:
    """The clip's file in place of its frames."""
    messages = []
    for message in talk.messages:
        parts = tuple(part if part.is_text else Part(part.modality, file) for part in message.parts)
        messages.append(type(message)(message.role, parts))
    return Conversation(tuple(messages))


def make(
    train: Count = 2000,
    val: Count = 200,
    test: Count = 400,
    animated: Annotated[bool, typer.Option(help="With animated drawings, which are fetched.")] = True,
    drawings: Annotated[bool | None, typer.Option(help="Move drawings of the pictograms; if they are there.")] = None,
    seed: int = 0,
    out: Annotated[Path | None, typer.Option(help="Folder; `motion` of the cache folder where not said.")] = None,
) -> Path:
    """Clips of every side of the split, in folders of their own; what is there is kept.

    Raises:
        InputError: the folder holds clips made otherwise, or drawings are wanted and are not there.
    """
    folder = out or cache_dir() / "motion"
    drawn = have_drawings() if drawings is None else drawings
    claim(folder, "motion.json", "clips", {"version": VERSION, "seed": seed, "animated": animated, "drawings": drawn})
    counts: dict[Side, int] = {"train": train, "val": val, "test": test}
    shares = {kind: share for kind, share in SHARES.items() if animated or kind not in ANIMATED}
    for side in get_args(Side):
        writing = Writing(
            side=side, count=counts[side], shares=shares, seed=seed, atlas=atlas_of(side, drawn), folder=folder / side
        )
        writing.run()
    credits = [source.credit for source in SOURCES] if animated else []
    write_text(folder / "ATTRIBUTION.md", attribution(credits, ABOUT + (DRAWN if drawn else "")))
    return folder
