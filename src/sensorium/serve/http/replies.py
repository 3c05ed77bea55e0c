"""Replies; a part of one is `schemas.ContentPart`, as requests have it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from sensorium.serve.http.schemas import ContentPart
from sensorium.serve.http.tools import ToolCall


class ErrorDetail(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorReply(BaseModel):
    error: ErrorDetail


class ModelCard(BaseModel):
    """Extra to OpenAI's: the modalities it ``reads`` and ``writes``, whether it ``thinks`` when asked to, and its
    languages where they are known.
    """

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "sensorium"
    reads: list[str]
    writes: list[str]
    thinks: bool
    languages: list[str] | None = None


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelCard]


class UnloadReply(BaseModel):
    id: str
    unloaded: bool


class ModalityTokens(BaseModel):
    prompt: dict[str, int]
    completion: dict[str, int]


class CompletionDetails(BaseModel):
    """Of the tokens written, those that were thought before an answer, with the mark that ends a thought."""

    reasoning_tokens: int = 0


class Usage(BaseModel):
    """OpenAI's counts, the counts by modality, and an estimate of the energy that the writing took."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    modality_tokens: ModalityTokens
    energy_wh: float | None
    completion_tokens_details: CompletionDetails = CompletionDetails()


class Likely(BaseModel):
    token: str
    logprob: float
    bytes: list[int] | None


class TokenLogprob(Likely):
    top_logprobs: list[Likely]


class ChatLogprobs(BaseModel):
    """Log-probabilities among the ids that were allowed at each place."""

    content: list[TokenLogprob]
    refusal: None = None


class ReplyMessage(BaseModel):
    """``content`` is the text alone; ``parts`` holds text and media in the order written. What was thought before is in
    ``reasoning_content``, as vLLM, llama.cpp and DeepSeek have it.

    Where the request had a field named as a modality M, ``M`` holds the last medium of it: ``data`` in base64.
    """

    model_config = ConfigDict(extra="allow")
    role: Literal["assistant"] = "assistant"
    content: str | None
    reasoning_content: str | None = None
    refusal: None = None
    tool_calls: list[ToolCall] | None = None
    parts: list[ContentPart]


class ChatChoice(BaseModel):
    index: int
    message: ReplyMessage
    logprobs: ChatLogprobs | None
    finish_reason: Literal["stop", "length", "tool_calls"]


class ChatReply(BaseModel):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage


class CompletionLogprobs(BaseModel):
    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class CompletionChoice(BaseModel):
    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: Literal["stop", "length"]


class CompletionReply(BaseModel):
    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage


class SpanItem(BaseModel):
    """A medium among the ids: ``ids[start:stop]``, markers included.

    ``codes`` are one flat list: one code of each codebook in ``header`` (name and size), then frame by frame one of
    each in ``codebook_sizes``. ``grid`` tells how the frames lie, e.g. [8, 8] for rows of eight; the first axis is null
    where it is free. ``bits`` is the information in all codes.
    ``reconstruction`` is the medium as its codes tell it; null for a codec that only reads.
    """

    codec: str
    modality: str
    start: int
    stop: int
    bits: float
    grid: list[int | None]
    header: dict[str, int]
    codebook_sizes: list[int]
    frame_rate_hz: float | None
    codes: list[int]
    reconstruction: ContentPart | None


class TokenizeReply(BaseModel):
    ids: list[int]
    tokens: list[str]
    spans: list[SpanItem]


class DetokenizeReply(BaseModel):
    parts: list[ContentPart]


class Health(BaseModel):
    status: Literal["ok"] = "ok"
    models: list[str]
