"""Grow a causal LM: new rows beside untouched text rows, trained strictly, with an adapter, or in full.

Legend: B batch, T time, H hidden size, N number of positions with a target, V whole vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from sensorium.codecs import Codec
from sensorium.model import fold
from sensorium.model.adapter import Adapter
from sensorium.model.base import Base, fingerprint, load_base, try_out
from sensorium.model.boxed import start_at_boxed
from sensorium.model.folder import is_model
from sensorium.model.head import final_logits
from sensorium.model.model import Model
from sensorium.model.rows import Init, SideRows, SplitEmbedding, SplitHead, meanings
from sensorium.senses import HasSenses, Senses
from sensorium.stream.render import DEFAULT_TEMPLATE
from sensorium.types import InputError

Learn = Literal["rows", "adapter", "full"]
ADAPTER = "media"


class Grown(HasSenses, nn.Module):
    """A causal LM in its training form.

    Attributes:
        lm: the base model, its input embedding and output head replaced by split ones.
        learn: what trains: ``"rows"`` (the base is frozen), ``"adapter"`` (rows and LoRA), ``"full"``.
        senses: see `Model`.
        new: names of the codecs whose rows have learned nothing yet.
    """

    def __init__(self, base: Base | Model, codecs: Sequence[Codec], learn: Learn, init: Init, lora_rank: int):
        super().__init__()
        self.lm, self.learn = base.lm, learn
        self.new = {codec.facts.name for codec in codecs}
        if isinstance(base, Model):
            self.base_name, self.base_fingerprint = base.base_name, base.base_fingerprint or fingerprint(self.lm)
            self.has_adapter, self.senses = base.has_adapter, base.senses.with_codecs(codecs)
        else:
            self.base_name, self.base_fingerprint, self.has_adapter = base.name, fingerprint(base.lm), False
            text_size = max(len(base.tokenizer), self.lm.get_input_embeddings().weight.shape[0])
            fold.widen_text_rows(self.lm, text_size)
            self.senses = Senses.of(base.tokenizer, text_size, codecs)
        self.tokenizer.chat_template = self.tokenizer.chat_template or DEFAULT_TEMPLATE  # exported, for other programs
        if not self.stream.stop_ids:
            raise InputError("no token of this tokenizer ends an answer; give it an eos_token first")
        rows = fold.without_new_rows(self.lm, self.senses.text_size)
        self._split(init)
        self.start_at(rows)
        self._choose_what_trains(lora_rank)

    def start_at(self, rows: tuple[Tensor, Tensor]) -> None:
        """Begin at the rows (N, H) of an earlier training, for input and for output, in the order of their ids.

        There may be fewer of them than ids: codecs that came later, and codes that a codec did not have then, keep
        their own start.
        """
        for side, known_NH in zip((self.embedding, self.head), rows, strict=True):
            if len(known_NH):
                side.rows.start_at(known_NH)

    def _split(self, init: Init) -> None:
        embedding, head = self.lm.get_input_embeddings(), self.lm.get_output_embeddings()
        text_in, text_out = embedding.weight.detach(), head.weight.detach()
        # Rows begin on the CPU: the same on every device.
        rows_in = SideRows(self.vocabulary, self.codecs, text_in.cpu(), init, output=False).to(text_in.device)
        rows_out = SideRows(self.vocabulary, self.codecs, text_out.cpu(), init, output=True).to(text_out.device)
        self._start_at_meanings(rows_in, text_in)
        self._start_at_meanings(rows_out, text_out)
        self.lm.set_input_embeddings(SplitEmbedding(embedding, rows_in))
        self.lm.set_output_embeddings(SplitHead(head, rows_out))

    @torch.no_grad()
    def _start_at_meanings(self, rows: SideRows, text_VH: Tensor) -> None:
        """Rows of codes that words are said for start where those are: at the mean of their tokens.

        Where the body is trained as well, and need not know those words, codes with features start as these say, and
        the rows of others go where they will.
        """
        for layout in self.vocabulary.layouts:
            if rows.is_silent(layout.name):
                continue
            parts = rows.of(layout.name)[1:]
            for number, (part, words) in enumerate(zip(parts, meanings(self.codecs[layout.name]), strict=True)):
                if words is None or (part.shared is not None and self.learn == "full"):
                    continue
                ids = self.tokenizer(list(words), add_special_tokens=False)["input_ids"]
                words_NH = torch.stack([text_VH[one].float().mean(0) for one in ids])
                if part.shared is not None or self.learn == "full":
                    part.start_at(words_NH)
                else:
                    rows.start_at_words(layout.name, number, words_NH)

    def _choose_what_trains(self, lora_rank: int) -> None:
        self.lm.requires_grad_(self.learn == "full")
        if self.learn == "adapter" and not self.has_adapter:
            fold.add_adapter(self.lm, ADAPTER, lora_rank)
            self.has_adapter = True
        for name, parameter in self.lm.named_parameters():
            if self.learn == "adapter" and "lora_" in name:
                parameter.requires_grad_(True)
        for rows in (self.embedding.rows, self.head.rows):
            rows.requires_grad_(True)

    def learn_only(self, codec: str, first: int) -> None:
        """From now on train what a model reads in the codes of one codec from this one on, and nothing else.

        Args:
            codec: of one codebook, without a header.
        """
        self.requires_grad_(False)
        self.embedding.rows.hold(codec, first)

    @property
    def embedding(self) -> SplitEmbedding:
        return self.lm.get_input_embeddings()

    @property
    def head(self) -> SplitHead:
        return self.lm.get_output_embeddings()

    @property
    def device(self) -> torch.device:
        return self.embedding.weight.device

    def hidden(self, ids_BT: Tensor, position_ids_BT: Tensor | None = None) -> Tensor:
        """(B, T, H) last hidden states. Positions that restart at 0 mark packed documents, which stay apart.

        The mask is left to transformers, which derives it from the positions; that needs ``use_cache=False``
        and no attention mask. Some kinds of models do not: see `keeps_documents_apart`.
        """
        out = self.lm.base_model(input_ids=ids_BT, position_ids=position_ids_BT, attention_mask=None, use_cache=False)
        return out.last_hidden_state

    @torch.no_grad()
    def base_hidden(self, ids_BT: Tensor, position_ids_BT: Tensor | None = None) -> Tensor:
        """As `hidden`, without the adapter: how the frozen base goes on, which reads codes by their rows."""
        with Adapter(self.lm).switched(False):
            return self.hidden(ids_BT, position_ids_BT)

    @torch.no_grad()
    def keeps_documents_apart(self) -> bool:
        """Whether documents packed into a row do not see each other.

        False for models that pass on a state from token to token (Mamba, LFM2) or take no positions (BLOOM, OPT).
        """
        ids_BT = torch.arange(24, device=self.device).view(2, 12) % self.vocabulary.text_size
        ids_BT[1, 6:] = ids_BT[0, 6:]  # another document before the same one
        was_training = self.lm.training
        self.lm.eval()
        hidden_BTH = self.hidden(ids_BT, torch.arange(6, device=self.device).repeat(2, 2))
        self.lm.train(was_training)
        return torch.allclose(hidden_BTH[0, 6:], hidden_BTH[1, 6:], rtol=1e-4, atol=1e-5)

    def logits(self, hidden_NH: Tensor) -> Tensor:
        """(N, V) logits over the whole vocabulary, as the exported model gives them."""
        return final_logits(self.lm.config.get_text_config(), self.head(hidden_NH))

    def output_rows(self) -> list[Tensor] | None:
        """Rows of the output head, text first, whose products with hidden states are the logits.

        None for models that add a bias or change the logits afterwards.
        """
        nothing = torch.empty(0)
        if self.head.base.bias is not None or final_logits(self.lm.config.get_text_config(), nothing) is not nothing:
            return None
        return [self.head.base.weight, self.head.rows()]

    def token_loss(self, hidden_NH: Tensor, targets_N: Tensor) -> Tensor:
        """(N,) cross-entropy in nats of each target."""
        return nn.functional.cross_entropy(self.logits(hidden_NH).float(), targets_N, reduction="none")

    def forward(self, ids_BT: Tensor, position_ids_BT: Tensor | None = None) -> Tensor:
        """(B, T, V) logits."""
        return self.logits(self.hidden(ids_BT, position_ids_BT))

    def parameters_to_train(self) -> dict[str, list[nn.Parameter]]:
        """Trainable parameters by group: ``rows``, ``adapter``, ``body``; empty groups are left out."""
        groups: dict[str, list[nn.Parameter]] = {"rows": [], "adapter": [], "body": []}
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                groups["rows" if ".rows." in name else "adapter" if "lora_" in name else "body"].append(parameter)
        return {name: parameters for name, parameters in groups.items() if parameters}

    def train_state(self) -> dict[str, Tensor]:
        """The tensors that train, by name."""
        return {name: value.detach() for name, value in self.named_parameters() if value.requires_grad}

    def load_train_state(self, state: dict[str, Tensor]) -> None:
        """Put back what `train_state` gave; InputError when it belongs to another model."""
        own = dict(self.named_parameters())
        trained = {name for name, value in own.items() if value.requires_grad}
        wrong = [name for name in state if name not in own or own[name].shape != state[name].shape]
        if wrong or trained - state.keys():
            what = (wrong or sorted(trained - state.keys()))[0]
            raise InputError(f"the checkpoint does not fit this model (at {what!r}); use the model it was trained with")
        with torch.no_grad():
            for name, value in state.items():
                own[name].copy_(value)

    def fold(self) -> Model:
        """The plain model: rows folded into ordinary embeddings of an unmodified model class (a copy)."""
        lm = fold.folded(self.lm)
        model = Model(lm, self.senses, base_name=self.base_name)
        model.base_fingerprint = "" if self.learn == "full" else self.base_fingerprint
        model.has_adapter = self.has_adapter
        return model.eval()

    def export(self, folder: str | PathLike[str]) -> Path:
        """Write a plain Hugging Face folder; see `Model.save`."""
        return self.fold().save(folder)


def grow(
    base: str | Path | Base | Model,
    codecs: Sequence[Codec] = (),
    learn: Learn = "rows",
    init: Init = "box",
    lora_rank: int = 16,
    seed: int = 0,
) -> Grown:
    """Give a causal LM new modalities, or train a grown one further.

    Args:
        base: a Hub id, a folder, or a `Base` in memory (which is changed in place). A model that is grown already goes
            on from where it stands: its codecs keep their ids, new ones come after them.
        codecs: one per modality, or one to read and one to write it; for a grown model those to add, or none.
        learn: ``"rows"`` trains new rows only, the base stays bit-identical; ``"adapter"`` adds LoRA
            (arXiv 2106.09685), switched on only when media are about; ``"full"`` trains everything.
        init: new rows start at the mean of the text rows (``"mean"``), spread around it along a random projection of
            the codecs' features (``"codebook"``), or where a model in the box has them that learned the same codec on
            the same base, and else spread (``"box"``).
        lora_rank: rank of the LoRA matrices.
        seed: of the first new rows and LoRA matrices.

    Raises:
        InputError: no codec, clashing codecs, an unknown mode, or a base that cannot be loaded.
    """
    if isinstance(codecs, Codec) or not all(isinstance(codec, Codec) for codec in codecs):
        raise InputError("codecs must be a list of codecs; sensorium.codec(name) gives one by its name")
    if learn not in get_args(Learn):
        raise InputError(f"learn must be one of {', '.join(get_args(Learn))}, not {learn!r}")
    if isinstance(base, Base) and isinstance(base.lm.get_input_embeddings(), SplitEmbedding):
        raise InputError("this base was grown in place already; load it again, or grow the model that was exported")
    start = base if isinstance(base, (Base, Model)) else Model.load(base) if is_model(base) else load_base(base)
    if start is not base and not isinstance(start, Model):
        try_out(start.lm)
    if not codecs and not isinstance(start, Model):
        raise InputError("give at least one codec to grow a model by")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        grown = Grown(start, codecs, learn, init, lora_rank)
    if init == "box":
        grown.new -= set(start_at_boxed(grown, grown.new))
    return grown
