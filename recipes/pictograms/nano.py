"""nano, the model in the box: a small Llama trained from scratch on pictograms, in stages.

python -m recipes.pictograms.nano looks              # look at every picture with the reading codec
python -m recipes.pictograms.nano shards 0           # write a stage's training conversations as token shards
python -m recipes.pictograms.nano train 0 --minutes 30
...                                                  # and so on for each stage, which starts from the one before
python -m recipes.pictograms.nano export             # into the package
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Annotated, Any

import numpy as np
import typer
from recipes.pictograms import tasks
from recipes.pictograms.align import align
from recipes.pictograms.augment import augment
from recipes.pictograms.codec import batches, drawn_codes, fsq, load_pixels, trained_codec
from recipes.pictograms.colours import coloured
from recipes.pictograms.concepts import Concepts, load_pictures
from recipes.pictograms.tokenizer import save_tokenizer, train_tokenizer

from sensorium.data import PackedLoader, TokenShards, write_shards
from sensorium.families.fsq import FSQCodec, net_to_pixels, pixels_to_net
from sensorium.families.semantic import SemanticCodec
from sensorium.files import atomic_file, cache_dir
from sensorium.model import Base, Grown, Model, grow
from sensorium.training import NextTokenLoss, TrainConfig, fit
from sensorium.training.checkpoint import load_latest
from sensorium.training.loop import AVERAGE
from sensorium.types import Conversation, InputError, Message, Part, Signal

WRITER, READER = "image", "image-read"
# Odds of the tasks, stage by stage.
STAGES = (
    tasks.SHARES,
    {"read": 0.80, "draw": 0.16, "pair": 0.02, "text": 0.02},
    {"read": 0.0, "draw": 0.93, "pair": 0.0, "text": 0.07},
    {"read": 0.66, "draw": 0.28, "pair": 0.03, "text": 0.03},
    {"read": 0.25, "names": 0.35, "draw": 0.36, "pair": 0.02, "text": 0.02},
    {"read": 0.16, "names": 0.68, "draw": 0.14, "pair": 0.01, "text": 0.01},
    {"read": 0.16, "names": 0.57, "draw": 0.14, "mixed": 0.06, "pair": 0.02, "text": 0.05},
    {"read": 0.16, "names": 0.61, "draw": 0.12, "mixed": 0.05, "pair": 0.01, "text": 0.05},
    {"read": 0.07, "names": 0.38, "draw": 0.50, "mixed": 0.03, "pair": 0.01, "text": 0.01},
    {"read": 0.08, "names": 0.34, "draw": 0.53, "mixed": 0.02, "pair": 0.01, "text": 0.02},
    {"read": 0.10, "names": 0.46, "draw": 0.38, "mixed": 0.03, "pair": 0.01, "text": 0.02},
)
PACKAGE = Path(__file__).resolve().parents[2] / "src" / "sensorium" / "weights"
app = typer.Typer(add_completion=False, help=__doc__)
FromBox = Annotated[bool, typer.Option("--from-box", help="Go on from the model in the package, with its tokenizer.")]


@dataclass(frozen=True, kw_only=True)
class Nano:
    """Everything about nano's shape and training.

    Args:
        hidden, layers, heads, intermediate: the Llama body.
        text_tokens: size of the text vocabulary.
        looks: how often the reading codec looks at every picture: once as it is, then at augmented ones.
        noise: deviations, one of which is taken by chance whenever a picture is read; so much noise is added to its
            values (whose own deviation is 1) before they are quantised. The reading codec is surer on drawings that
            it was trained on than it will be on others; noise makes up for that.
        conversations: how many are written as shards; training goes round them as long as it has time.
        text_weight: how much a text token counts in the loss beside a code. A drawing has 64 codes and a name a
            few tokens: unweighted, naming would hardly be learned.
        rows, row_tokens: packed rows a step and tokens a row.
    """

    hidden: int = 256
    layers: int = 7
    heads: int = 8
    intermediate: int = 704
    text_tokens: int = 3500
    looks: int = 5
    noise: tuple[float, ...] = (0.0, 0.3, 0.5, 0.7, 0.9)
    conversations: int = 150_000
    text_weight: float = 4.0
    rows: int = 12
    row_tokens: int = 256
    seed: int = 0


def folder() -> Path:
    return cache_dir() / "pictograms" / "nano"


def codecs() -> tuple[FSQCodec, SemanticCodec]:
    """The one that writes and the one that reads."""
    writer, reader = fsq(trained_codec(WRITER)), trained_codec(READER)
    if not isinstance(reader, SemanticCodec):
        raise InputError(f"the reading codec is of the family {reader.family!r}; train recipes.pictograms.reading")
    return writer, reader


@dataclass(frozen=True)
class Codes:
    """What both codecs make of the pictures of the table.

    Args:
        written: (pictures, 64) codes of the writing codec, for pictures that are learned to draw.
        values: (looks, pictures, channels) values of the reading codec before they are quantised; the first look is at
            the picture as it is.
        reader: quantises them.
        noise: see `Nano`.
    """

    written: np.ndarray
    values: np.ndarray
    reader: SemanticCodec
    noise: Sequence[float] = (0.0,)

    @classmethod
    def load(cls, reader: SemanticCodec, noise: Sequence[float]) -> Codes:
        from safetensors.numpy import load_file

        return cls(drawn_codes(), load_file(looks_file())["values"], reader, noise)

    @property
    def read(self) -> np.ndarray:
        """(pictures, codes) codes of the pictures as they are."""
        return self.reader.quantise(self.values[0].astype(np.float32))

    def fill(self, conversation: Conversation, random: Random) -> Conversation:
        """The conversation with codes in place of picture numbers."""
        return Conversation(tuple(self._fill_message(message, random) for message in conversation.messages))

    def _fill_message(self, message: Message, random: Random) -> Message:
        return replace(message, parts=tuple(self._fill_part(part, message.role, random) for part in message.parts))

    def _fill_part(self, part: Part, role: str, random: Random) -> Part:
        if part.is_text:
            return part
        if role == "assistant":
            return part.with_codes(self.written[part.data].astype(np.int64).ravel(), WRITER)
        values = self.values[random.randrange(len(self.values)), part.data].astype(np.float32)
        generator = np.random.default_rng(random.getrandbits(64))
        values += random.choice(self.noise) * generator.standard_normal(values.shape, dtype=np.float32)
        return part.with_codes(self.reader.quantise(values[None])[0], READER)


def looks_file() -> Path:
    return folder() / f"looks-{READER}.safetensors"


def read_values(codec: SemanticCodec, looks: int, seed: int) -> np.ndarray:
    """(looks, pictures, channels) float16 values of every picture, the first as it is, the others augmented."""
    found = []
    for look in range(looks):
        generator = np.random.default_rng((seed, look))
        pixels = (np.array(batch) for batch in batches(load_pixels()))
        seen = pixels if look == 0 else (changed(batch, generator) for batch in pixels)
        found.append(
            np.concatenate([codec.values([Signal(picture) for picture in batch]) for batch in seen]).astype(np.float16)
        )
    return np.stack(found)


def changed(pixels_BSS3: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The same pictures as other families might draw or place them."""
    import torch

    return net_to_pixels(augment(pixels_to_net(torch.from_numpy(pixels_BSS3)), generator)).numpy()


class Training:
    """The parts of one training run, each made when first asked for."""

    def __init__(self, config: Nano, from_box: bool = False):
        self.config, self.from_box = config, from_box

    @cached_property
    def codes(self) -> Codes:
        return Codes.load(codecs()[1], self.config.noise)

    @cached_property
    def concepts(self) -> Concepts:
        """What the pictures show that have codes (the table may have grown since they were encoded)."""
        encoded = min(len(self.codes.written), self.codes.values.shape[1])
        pictures = [picture for picture in load_pictures() if picture.picture < encoded]
        return Concepts(coloured(pictures, load_pixels()))

    @cached_property
    def tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        place = folder() / "tokenizer"
        if not place.exists():
            save_tokenizer(train_tokenizer(self.concepts, size=self.config.text_tokens), place)
        return AutoTokenizer.from_pretrained(place)

    @cached_property
    def grown(self) -> Grown:
        if self.from_box:
            model = Model.load("nano")
            for codec in codecs():
                model.senses = model.senses.replaced(codec)
            return grow(model, learn="full")
        return grow(Base(_body(self.config, self.tokenizer), self.tokenizer), codecs(), learn="full")

    def conversations(self, stage: int) -> Iterator[Conversation]:
        """Those of a stage, with codes; no two stages have the same."""
        seed, count = self.config.seed, self.config.conversations
        start = stage * count
        made = tasks.conversations(self.concepts, count, seed, STAGES[stage], start)
        for index, conversation in enumerate(made, start=start):
            yield self.codes.fill(conversation, Random(f"{seed}:codes:{index}"))


def _body(config: Nano, tokenizer: Any) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(config.seed)
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.hidden,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.heads,
        intermediate_size=config.intermediate,
        max_position_embeddings=1024,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(shape)


def training_config(minutes: float, gentle: bool = False) -> TrainConfig:
    """Muon for the body's matrices, a flat learning rate that falls in the last third of the time.

    Args:
        gentle: half the learning rate, falling from the start: to polish weights that have been cooled down.
    """
    return TrainConfig(
        minutes=minutes,
        optimizer="muon",
        lr={"rows": 1.5e-3, "body": 1e-3} if gentle else {"rows": 3e-3, "body": 2e-3},
        schedule="trapezoid",
        cooldown=1.0 if gentle else 0.35,
        warmup=50,
        compile=True,
        weight_decay=0.05,
    )


@app.command()
def looks() -> None:
    """Look at every picture of the table with the reading codec."""
    from safetensors.numpy import save_file

    values = read_values(codecs()[1], Nano().looks, Nano.seed)
    with atomic_file(looks_file()) as path:
        save_file({"values": values}, path)
    typer.echo(f"wrote {looks_file()}, {values.shape}")


@app.command()
def shards(
    stage: Annotated[int, typer.Argument(help="Stage of the training, from 0.")] = 0,
    count: Annotated[int, typer.Option(help="Training conversations.")] = Nano.conversations,
    from_box: FromBox = False,
) -> None:
    """Write a stage's training conversations as token shards."""
    training = Training(Nano(conversations=count), from_box)
    grown = training.grown
    place = write_shards(training.conversations(stage), grown.senses, folder() / f"shards-{stage}")
    typer.echo(f"wrote {place}")


@app.command()
def train(
    stage: Annotated[int, typer.Argument(help="Stage of the training, from 0.")] = 0,
    minutes: Annotated[float, typer.Option(help="Time of this stage, earlier runs of it included.")] = 30,
    aligned: Annotated[bool, typer.Option(help="Start the reading codec's rows at the words of names.")] = False,
    gentle: Annotated[bool, typer.Option(help="Polish weights that have been cooled down.")] = False,
    from_box: FromBox = False,
) -> None:
    """Train one stage, or go on from its last checkpoint; a later stage starts from the one before."""
    config = Nano()
    training = Training(config, from_box)
    grown = training.grown
    if stage and not from_box and load_latest(run_folder(stage) / "checkpoints") is None:
        grown.load_train_state(grown.train_state() | fitting(trained_weights(stage - 1), grown))
        if aligned:
            align(grown, READER, training.concepts, training.codes.read)
    samples = TokenShards(folder() / f"shards-{stage}", grown.senses)
    loader = PackedLoader(samples, batch_rows=config.rows, row_tokens=config.row_tokens, seed=config.seed)
    loss = NextTokenLoss({"text": config.text_weight})
    typer.echo(str(fit(grown, loader, training_config(minutes, gentle), run_folder(stage), loss)))


def run_folder(stage: int) -> Path:
    return folder() / f"run-{stage}"


def trained_weights(stage: int) -> dict[str, Any]:
    """What trains, at a stage's last checkpoint."""
    found = load_latest(run_folder(stage) / "checkpoints")
    if found is None:
        raise InputError(f"there is no checkpoint in {run_folder(stage)}; train stage {stage} first")
    return {name: value for name, value in found.weights.items() if not name.startswith(AVERAGE)}


def fitting(weights: dict[str, Any], grown: Grown) -> dict[str, Any]:
    """The weights that have a place in this model; rows of a codec of another shape start anew."""
    own = grown.train_state()
    return {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="Folder of the model.")] = PACKAGE / "nano",
    stage: Annotated[int, typer.Option(help="Stage whose last checkpoint is taken.")] = len(STAGES) - 1,
    from_box: FromBox = False,
) -> None:
    """Write the last checkpoint as a plain Hugging Face folder, in half precision."""
    import torch

    grown = Training(Nano(), from_box).grown
    grown.load_train_state(trained_weights(stage))
    model = grown.fold()
    model.sampling = {"image": {"temperature": 0.3, "guidance": 1.5}}
    model.save(out, dtype=torch.float16)
    shutil.copy(Path(__file__).with_name("nano_card.md"), out / "README.md")
    shutil.copy(cache_dir() / "pictograms" / "ATTRIBUTION.md", out / "ATTRIBUTION.md")
    typer.echo(f"wrote {out}")


if __name__ == "__main__":
    app()
