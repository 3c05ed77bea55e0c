"""Surgery on a causal LM: widen its text rows, add a LoRA adapter, fold split rows into plain ones."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn


def widen_text_rows(lm: Any, rows: int) -> None:
    """Make sure the model has at least ``rows`` text rows (some tokenizers hold more tokens than the model)."""
    if lm.get_input_embeddings().weight.shape[0] < rows:
        lm.resize_token_embeddings(rows, mean_resizing=False)


def without_new_rows(lm: Any, text_size: int) -> tuple[Tensor, Tensor]:
    """Cut a model back to its text rows (in place); the input and output rows (N, H) that were beyond them."""
    embedding, head = lm.get_input_embeddings(), lm.get_output_embeddings()
    rows_in, rows_out = embedding.weight.detach(), head.weight.detach()
    if len(rows_in) > text_size:
        with_rows(lm, embedding, rows_in[:text_size], rows_out[:text_size])
    return rows_in[text_size:].clone(), rows_out[text_size:].clone()


def add_adapter(lm: Any, name: str, rank: int) -> None:
    """Put trainable LoRA matrices on every linear layer but the output head, in PEFT's format."""
    from peft import LoraConfig

    head = lm.get_output_embeddings()
    skip = {id(getattr(head, "base", head))}
    kinds = (nn.Linear, *_conv1d())
    found = {n: module for n, module in lm.named_modules() if isinstance(module, kinds) and id(module) not in skip}
    turned = all(isinstance(module, _conv1d()) for module in found.values())
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=sorted(found), fan_in_fan_out=turned)
    config.task_type = "CAUSAL_LM"
    lm.add_adapter(config, name)


def _conv1d() -> tuple[type, ...]:
    from transformers.pytorch_utils import Conv1D

    return (Conv1D,)


def folded(lm: Any) -> Any:
    """A copy of a split model as an unmodified model class with wider, untied embeddings."""
    embedding, head = lm.get_input_embeddings(), lm.get_output_embeddings()
    rows_in, rows_out = (joined(side.base.weight, side.rows()) for side in (embedding, head))
    shared = {id(embedding): nn.Identity(), id(head): nn.Identity()}
    plain = copy.deepcopy(lm, memo=shared)
    return with_rows(plain, embedding.base, rows_in, rows_out)


def joined(text_VH: Tensor, new_NH: Tensor) -> Tensor:
    """All rows, in the type of the text's: new rows train in float32 whatever the base is."""
    return torch.cat([text_VH.detach(), new_NH.detach().to(text_VH.dtype)])


def with_rows(lm: Any, embedding: nn.Embedding, rows_in: Tensor, rows_out: Tensor) -> Any:
    """Give a model input and output rows (each (V, H)), untied, and tell its config (in place)."""
    new_embedding = copy.copy(embedding)
    new_embedding._parameters = {"weight": nn.Parameter(rows_in.clone(), requires_grad=False)}
    new_embedding.num_embeddings = len(rows_in)
    new_head = nn.Linear(rows_out.shape[1], len(rows_out), bias=False, device=rows_out.device, dtype=rows_out.dtype)
    new_head.weight = nn.Parameter(rows_out.clone(), requires_grad=False)
    lm.set_input_embeddings(new_embedding)
    lm.set_output_embeddings(new_head)
    for config in {id(lm.config): lm.config, id(lm.config.get_text_config()): lm.config.get_text_config()}.values():
        config.vocab_size = len(rows_in)
        config.tie_word_embeddings = False
    lm._tied_weights_keys = None
    return lm.requires_grad_(False)
