"""The plain model: an unmodified causal LM with a larger vocabulary, its tokenizer and its codecs."""

from __future__ import annotations

import copy
import json
from os import PathLike
from pathlib import Path
from typing import Any, Self

import torch

from sensorium.codecs import Codec, load_codec
from sensorium.files import atomic_folder
from sensorium.model import fold
from sensorium.model.base import Base, fingerprint, load_base
from sensorium.senses import HasSenses, Senses
from sensorium.types import InputError
from sensorium.vocabulary import Vocabulary

HEAD_FILE = "sensorium.json"
ROWS_FILE = "rows.safetensors"
FORMAT = 2
"""Of `HEAD_FILE`. Format 1 wrote out every fact, with null for a free grid; it is still read."""
IN_THE_BOX = Path(__file__).resolve().parent.parent / "weights"


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
        from safetensors.torch import save_file

        start = self.vocabulary.text_size
        rows = {
            "input": self.lm.get_input_embeddings().weight[start:],
            "output": self.lm.get_output_embeddings().weight[start:],
        }
        with atomic_folder(folder) as out:
            save_file(
                {name: value.to(dtype or value.dtype).contiguous() for name, value in rows.items()}, out / ROWS_FILE
            )
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
            codec.save(out / "codecs" / name)
        prints = {name: codec.fingerprint() for name, codec in self.codecs.items()}
        head = {"format": FORMAT, "vocabulary": self.vocabulary.to_json(), "codecs": prints, "base": base}
        head |= {"adapter": "adapter" if self.has_adapter else None, "sampling": self.sampling}
        (out / HEAD_FILE).write_text(json.dumps(head, indent=2) + "\n", encoding="utf-8")

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
        head, vocabulary = _read_head(folder)
        codecs = _load_codecs(folder, head, vocabulary)
        if head["base"] is None:
            loaded, base_name = _load_whole(folder, vocabulary), ""
        else:
            loaded, base_name = _load_on_base(folder, head, vocabulary, base), head["base"]["name"]
        senses = Senses(loaded.tokenizer, vocabulary.text_size, codecs, head.get("sampling", {}))
        model = cls(loaded.lm, senses, base_name)
        model.base_fingerprint = head["base"]["fingerprint"] if head["base"] else ""
        if head.get("adapter"):
            model.lm.load_adapter(str(_adapter(folder)), adapter_name="media")
            model.has_adapter = True
        return model.eval()


def is_model(name: str | PathLike[str]) -> bool:
    """Whether a name or folder here is that of a grown model."""
    return any((folder / HEAD_FILE).is_file() for folder in (Path(name), IN_THE_BOX / str(name)))


def resolve(name: str | PathLike[str]) -> Path:
    """The folder of a model given by name, path or Hub id.

    Raises:
        InputError: no such model.
    """
    for folder in (Path(name), IN_THE_BOX / str(name)):
        if (folder / HEAD_FILE).is_file():
            return folder
    if Path(name).exists():
        raise InputError(f"{name} is not a Sensorium model: it holds no {HEAD_FILE}; grow it first")
    from huggingface_hub import snapshot_download

    boxed = sorted(path.parent.name for path in IN_THE_BOX.glob(f"*/{HEAD_FILE}"))
    unknown = InputError(
        f"no model named {str(name)!r}: not a folder, not on the Hub, and not one of those in the box "
        f"({', '.join(boxed) or 'none'})"
    )
    if str(name).count("/") != 1:  # not the form OWNER/MODEL: there is no need to ask the Hub
        raise unknown
    try:
        folder = Path(snapshot_download(str(name)))
    except Exception as error:  # the hub client raises many kinds, all meaning: not to be had
        raise unknown from error
    if not (folder / HEAD_FILE).is_file():
        raise InputError(f"{name} is a model on the Hub but not a Sensorium model; grow it first")
    return folder


def _adapter(folder: Path) -> Path:
    """Where the adapter lies: never outside the model's folder, and never looked for on the Hub."""
    if not (folder / "adapter" / "adapter_config.json").is_file():
        raise InputError(f"the adapter of the model in {folder} is missing; copy the model again as a whole")
    return folder / "adapter"


def _read_head(folder: Path) -> tuple[dict[str, Any], Vocabulary]:
    try:
        head = json.loads((folder / HEAD_FILE).read_text(encoding="utf-8"))
        if head["format"] not in (1, FORMAT):
            _refuse_format(folder, head["format"])
        if head["base"] is not None:
            _ = head["base"]["name"], head["base"]["fingerprint"]
        return head | {"codecs": dict(head["codecs"])}, Vocabulary.from_json(head["vocabulary"])
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, KeyError, TypeError) as error:
        raise InputError(f"{folder / HEAD_FILE} is damaged ({error}); copy the model again") from error


def _refuse_format(folder: Path, version: Any) -> None:
    raise InputError(
        f"the model in {folder} has format {version}, this version reads formats 1 to {FORMAT}; update sensorium"
    )


def _load_codecs(folder: Path, head: dict[str, Any], vocabulary: Vocabulary) -> dict[str, Codec]:
    codecs = {}
    for layout in vocabulary.layouts:
        name = layout.name
        codec = load_codec(folder / "codecs" / name)
        if codec.facts.identity() != layout.facts.identity() or codec.fingerprint() != head["codecs"].get(name):
            raise InputError(
                f"codec {name!r} in {folder} is not the one the model was trained with; copy the model again as a whole"
            )
        codecs[name] = codec
    return codecs


def _load_whole(folder: Path, vocabulary: Vocabulary) -> Base:
    loaded = load_base(folder)
    rows = loaded.lm.get_input_embeddings().weight.shape[0]
    if rows != vocabulary.size:
        raise InputError(f"the model in {folder} has {rows} rows, its codecs need {vocabulary.size}; copy it again")
    return loaded


def _load_on_base(folder: Path, head: dict[str, Any], vocabulary: Vocabulary, base: Any) -> Base:
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import AutoTokenizer

    named = head["base"]["name"]
    loaded = load_base(base if base is not None else named)
    if fingerprint(loaded.lm) != head["base"]["fingerprint"]:
        raise InputError(f"{named!r} is not the base that the rows in {folder} were trained on; give the right one")
    fold.widen_text_rows(loaded.lm, vocabulary.text_size)
    try:
        rows = load_file(folder / ROWS_FILE)
    except (SafetensorError, OSError) as error:
        raise InputError(f"the rows in {folder} are cut short or missing ({error}); copy the model again") from error
    embedding, output = loaded.lm.get_input_embeddings(), loaded.lm.get_output_embeddings()
    rows_in, rows_out = fold.joined(embedding.weight, rows["input"]), fold.joined(output.weight, rows["output"])
    lm = fold.with_rows(loaded.lm, embedding, rows_in, rows_out)
    return Base(lm, AutoTokenizer.from_pretrained(str(folder)), named)
