"""The plain model: an unmodified causal LM with a larger vocabulary, its tokenizer and its codecs."""

from __future__ import annotations

import copy
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any, Self

import torch

from sensorium import seals
from sensorium.checked import told
from sensorium.codecs import Codec, load_codec
from sensorium.files import atomic_folder
from sensorium.model import fold
from sensorium.model.base import Base, fingerprint, load_base, load_tokenizer, try_out, without_tokens
from sensorium.model.folder import (
    CODECS,
    FORMAT,
    HEAD_FILE,
    BaseName,
    Head,
    read_adapter,
    read_head,
    read_rows,
    resolve,
    write_rows,
)
from sensorium.senses import HasSenses, Senses
from sensorium.types import InputError
from sensorium.vocabulary import Vocabulary

MORE_ROWS = 2**16
"""Tokens that a tokenizer may have beyond the rows of its model."""


class Model(HasSenses):
    """A causal LM that reads and writes media.

    Attributes:
        lm: an unmodified `transformers` causal LM.
        senses: its tokenizer (which holds the codes' tokens), codecs, vocabulary and stream.
        has_adapter: LoRA matrices are on the model; each turn says whether it is written with them.
    """

    def __init__(self, lm: Any, senses: Senses, base_name: str = ""):
        self.lm, self.senses = lm, senses
        self.base_name, self.base_fingerprint, self.has_adapter = base_name, "", False

    def eval(self) -> Self:
        self.lm.eval()
        return self

    def without_codecs(self) -> Base:
        """The text model in it (a copy): rows and tokens of all codecs are taken away."""
        if self.has_adapter:
            raise InputError("this model's adapter works with its codecs; load its base instead")
        lm = copy.deepcopy(self.lm)
        fold.without_new_rows(lm, self.senses.text_size)
        return Base(lm, without_tokens(self.tokenizer, self.senses.text_size), self.base_name)

    def save(self, folder: str | PathLike[str], dtype: torch.dtype | None = None) -> Path:
        """Write a plain Hugging Face folder, with the codecs beside it, whole or not at all.

        A LoRA adapter is kept apart in ``adapter/``, in PEFT's format.

        Args:
            dtype: store the weights in this type, e.g. ``torch.float16``; None keeps them as they are.
        """
        with atomic_folder(folder) as out:
            state = {name: value for name, value in self.lm.state_dict().items() if "lora_" not in name}
            state = {name.replace(".base_layer.", "."): value.to(dtype or value.dtype) for name, value in state.items()}
            self._save_adapter(out, dtype)
            self.lm.save_pretrained(str(out), state_dict=state) if not self.has_adapter else self._save_bare(out, state)
            self._save_rest(out, base=None)
        return Path(folder)

    def _save_bare(self, out: Path, state: dict[str, torch.Tensor]) -> None:
        from safetensors.torch import save_file

        self.lm.config.save_pretrained(str(out))
        if self.lm.generation_config is not None:
            self.lm.generation_config.save_pretrained(str(out))
        save_file(
            {name: value.contiguous() for name, value in state.items()}, out / "model.safetensors", {"format": "pt"}
        )

    def save_rows(self, folder: str | PathLike[str], dtype: torch.dtype | None = None) -> Path:
        """Write only what is new (rows, adapter, codecs); the base is named and loaded from its own place.

        Raises:
            InputError: the base was trained as well, or has no name to load it from.
        """
        if not self.base_name or not self.base_fingerprint:
            raise InputError(
                "only a model with a named, frozen base can be saved as rows; use save() for the whole model"
            )
        start = self.vocabulary.text_size
        rows_in, rows_out = (
            side.weight[start:].to(dtype or side.weight.dtype)
            for side in (self.lm.get_input_embeddings(), self.lm.get_output_embeddings())
        )
        with atomic_folder(folder) as out:
            write_rows(out, rows_in, rows_out, self.vocabulary)
            self._save_adapter(out, dtype)
            self._save_rest(out, base={"name": self.base_name, "fingerprint": self.base_fingerprint})
        return Path(folder)

    def _save_adapter(self, out: Path, dtype: torch.dtype | None) -> None:
        if not self.has_adapter:
            return
        from peft import get_peft_model_state_dict
        from safetensors.torch import save_file

        name = next(iter(self.lm.peft_config))
        state = get_peft_model_state_dict(self.lm, adapter_name=name, save_embedding_layers=False)
        (out / "adapter").mkdir()
        config = copy.copy(self.lm.peft_config[name])
        config.base_model_name_or_path = self.base_name or None  # not where it happened to lie
        config.save_pretrained(str(out / "adapter"))
        tensors = {
            f"base_model.model.{key}": value.to(dtype or value.dtype).contiguous() for key, value in state.items()
        }
        save_file(tensors, out / "adapter" / "adapter_model.safetensors", {"format": "pt"})

    def _save_rest(self, out: Path, base: dict[str, str] | None) -> None:
        self.tokenizer.save_pretrained(str(out))
        for name, codec in self.codecs.items():
            codec.save(out / CODECS / name)
        prints = {name: codec.fingerprint() for name, codec in self.codecs.items()}
        head = {"format": FORMAT, "vocabulary": self.vocabulary.to_json(), "codecs": prints, "base": base}
        head |= {"adapter": "adapter" if self.has_adapter else None, "sampling": self.sampling}
        head |= {"thinking": asdict(self.thinking)} if self.thinking else {}
        # A codec's own file has its fingerprint, and may be changed where that stays as it is.
        seals.write(out / HEAD_FILE, head, seals.sums_of(out, seals.files_in(out, without=[CODECS])))

    @classmethod
    def load(cls, name: str | PathLike[str], base: str | Path | Base | None = None) -> Self:
        """Load a model by name, folder or Hub id.

        Args:
            name: a model in the box (``"nano"``), a folder that `save` or `save_rows` wrote, or a Hub id.
            base: where the base of a rows-only model lies, if not at the place it names.

        Raises:
            InputError: nothing is there, a file is cut short, or codecs and model disagree.
        """
        folder = resolve(name)
        with told(f"the model in {folder} cannot be loaded", again=False):
            head, vocabulary = read_head(folder)
            codecs = _load_codecs(folder, head, vocabulary)
            loaded = (
                _load_on_base(folder, head.base, vocabulary, base) if head.base else _load_whole(folder, vocabulary)
            )
            _check_ids(loaded, folder)
            senses = Senses(loaded.tokenizer, vocabulary.text_size, codecs, head.samplings(), head.thinking)
            model = cls(loaded.lm, senses, head.base.name if head.base else "")
            model.base_fingerprint = head.base.fingerprint if head.base else ""
            if head.adapter:
                _add_adapter(model.lm, folder)
                model.has_adapter = True
            try_out(model.lm)
            return model.eval()


def _load_codecs(folder: Path, head: Head, vocabulary: Vocabulary) -> dict[str, Codec]:
    codecs = {}
    for layout in vocabulary.layouts:
        name = layout.name
        codec = load_codec(folder / CODECS / name)
        if codec.facts.identity() != layout.facts.identity() or codec.fingerprint() != head.codecs.get(name):
            raise InputError(
                f"codec {name!r} in {folder} is not the one the model was trained with; copy the model again as a whole"
            )
        codecs[name] = codec
    return codecs


def _check_ids(loaded: Base, folder: Path) -> None:
    """InputError for a tokenizer with ids beyond the model's rows."""
    known = loaded.tokenizer.backend_tokenizer.get_vocab(with_added_tokens=False)
    rows, most = loaded.lm.get_input_embeddings().weight.shape[0], max(known.values(), default=0)
    if most >= rows:
        raise InputError(f"the tokenizer in {folder} has the id {most}, the model {rows} rows; copy the model again")


def _load_whole(folder: Path, vocabulary: Vocabulary) -> Base:
    loaded = load_base(folder)
    rows = loaded.lm.get_input_embeddings().weight.shape[0]
    if rows != vocabulary.size:
        raise InputError(f"the model in {folder} has {rows} rows, its codecs need {vocabulary.size}; copy it again")
    return loaded


def _load_on_base(folder: Path, wanted: BaseName, vocabulary: Vocabulary, base: Any) -> Base:
    loaded = load_base(base if base is not None else wanted.name)
    if fingerprint(loaded.lm) != wanted.fingerprint:
        raise InputError(
            f"{wanted.name!r} is not the base that the rows in {folder} were trained on; give the right one"
        )
    embedding = loaded.lm.get_input_embeddings()
    with told(f"the rows in {folder} are damaged", "; copy the model again"):
        rows = read_rows(folder, vocabulary)
        shape = (vocabulary.size - vocabulary.text_size, embedding.weight.shape[1])
        if {name: tuple(one.shape) for name, one in rows.items()} != {"input": shape, "output": shape}:
            raise InputError(f"they are not two tables of shape {shape}")
        more = vocabulary.text_size - len(embedding.weight)
        if not 0 <= more <= MORE_ROWS:
            raise InputError(f"the text has {vocabulary.text_size} ids, its base {len(embedding.weight)} rows")
    fold.widen_text_rows(loaded.lm, vocabulary.text_size)
    embedding, output = loaded.lm.get_input_embeddings(), loaded.lm.get_output_embeddings()
    rows_in, rows_out = fold.joined(embedding.weight, rows["input"]), fold.joined(output.weight, rows["output"])
    lm = fold.with_rows(loaded.lm, embedding, rows_in, rows_out)
    return Base(lm, load_tokenizer(str(folder)), wanted.name)


def _add_adapter(lm: Any, folder: Path) -> None:
    """Put a folder's LoRA matrices on a model."""
    config, tensors = read_adapter(folder)
    with told(f"the adapter of the model in {folder} does not fit it", "; copy the model again"):
        info = lm.load_adapter(peft_config=config, adapter_state_dict=tensors, adapter_name="media")
        wrong = [*info.missing_keys, *info.unexpected_keys, *info.mismatched_keys]
        if wrong:
            raise InputError(f"{len(wrong)} of its matrices are missing or are not the model's, e.g. {wrong[0]!s:.100}")
