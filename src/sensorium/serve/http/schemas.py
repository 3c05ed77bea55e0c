"""Requests. What becomes of OpenAI's parameters that are no fields here, `parameters` says."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from sensorium.modalities import modality_names
from sensorium.serve.http.errors import wrong
from sensorium.serve.http.fields import Name, String, items
from sensorium.serve.http.parameters import CHAT, COMPLETIONS, Effort, Parameters
from sensorium.serve.http.structured import Structured
from sensorium.serve.http.tools import ToolCall
from sensorium.types import TEXT

LARGEST_SEED = 2**63 - 1


Stop = Annotated[String, StringConstraints(min_length=1, max_length=200)]
TokenId = Annotated[int, Field(ge=0, lt=2**31)]
Temperature = Annotated[float | None, Field(ge=0, le=100, description="0 takes the likeliest; default: the model's.")]
TopP = Annotated[float | None, Field(gt=0, le=1)]
TopK = Annotated[int | None, Field(ge=0, le=2**31, description="Sample among this many of the likeliest; 0 for all.")]
Seed = Annotated[int | None, Field(ge=-LARGEST_SEED, le=LARGEST_SEED, description="Same seed, same answer.")]
Guidance = Annotated[
    float | None, Field(ge=0, le=100, description="Above 1, media keep closer to the request; 1 for none.")
]
Contrast = Annotated[
    float | None, Field(ge=0, le=100, description="Above 0, what is said of media keeps closer to them; 0 for none.")
]
RequestRole = Literal["system", "developer", "user", "assistant", "tool"]
AttemptNumber = Annotated[
    int, Field(ge=0, le=1_000_000, description="Attempts at the same before this one; further ones vary more.")
]
Count = Annotated[int | None, Field(ge=1, le=1000)]
Ids = Annotated[list[TokenId], items(100_000)]
MaxTokens = Annotated[int | None, Field(ge=1, description="Most ids to write.")]


class ContentPart(BaseModel):
    """A piece of a message.

    ``{"type": "text", "text": ...}``, or for any modality M that the model reads
    ``{"type": "M_url", "M_url": {"url": "data:..."}}`` or ``{"type": "input_M", "input_M": {"data": base64}}``. In a
    reply a medium also has ``codec`` and ``codes``; sent back with them, it is taken as it was written.
    """

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {"type": "text", "text": "What is this?"},
                {"type": "M_url", "M_url": {"url": "data:TYPE;base64,..."}},
                {"type": "input_M", "input_M": {"data": "...", "format": "..."}},
            ]
        },
    )
    type: Name
    text: String | None = None
    codec: Name | None = None
    codes: Ids | None = None

    @model_serializer(mode="wrap")
    def _only_what_it_has(self, plain: SerializerFunctionWrapHandler):
        return {name: value for name, value in plain(self).items() if value is not None}


Parts = Annotated[list[ContentPart], items(1000)]
Content = String | Parts


class RequestMessage(BaseModel):
    """One turn. ``parts``, as replies have them, stand in for ``content``.

    A message of the assistant may hold its media in other fields, as `Modality.in_reply` has them.
    """

    model_config = ConfigDict(extra="allow")
    role: RequestRole
    content: Content | None = None
    parts: Parts | None = None
    tool_calls: Annotated[list[ToolCall], items(128)] | None = None
    tool_call_id: Annotated[String, Field(max_length=200)] | None = None

    @property
    def said(self) -> list[ContentPart]:
        """Its parts, however they were spelled; none for an empty string."""
        said = self.content or [] if self.parts is None else self.parts
        return [ContentPart(type=TEXT, text=said)] if isinstance(said, str) else said


Messages = Annotated[list[RequestMessage], items(1000, least=1)]


class StreamOptions(BaseModel):
    """``include_obfuscation`` would hide how long pieces are; it changes no answer, and nothing is hidden here."""

    model_config = ConfigDict(extra="forbid")
    include_usage: bool | None = False
    include_obfuscation: bool | None = False


class Asked(BaseModel):
    """How an answer is chosen; the requests of OpenAI's endpoints.

    Attributes:
        parameters: what becomes of those that are no fields.
    """

    parameters: ClassVar[Parameters] = Parameters()
    temperature: Temperature = None
    top_p: TopP = None
    top_k: TopK = None
    guidance: Guidance = None
    contrast: Contrast = None
    seed: Seed = None
    attempt: AttemptNumber = 0

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, data: Any) -> Any:
        """What would be left out in silence is refused by its name."""
        for name, value in data.items() if isinstance(data, dict) else ():
            if name not in cls.model_fields and not cls.takes(name, value, data):
                cls.parameters.check(name, value)
        return data

    @classmethod
    def takes(cls, name: str, value: Any, data: dict[str, Any]) -> bool:
        """Whether a field that has no name of its own here is one of this request."""
        return False

    def sampling(self) -> dict[str, Any]:
        """The fields of `sensorium.engines.Sampling` that were given."""
        names = ("temperature", "top_p", "top_k", "guidance", "contrast", "seed", "max_tokens")
        return {name: value for name in names if (value := getattr(self, name, None)) is not None}


class Sampled(Asked):
    """One answer or several."""

    n: Count = Field(1, description="How many answers.")
    best_of: Count = Field(None, description="Write so many and return the best n.")

    @property
    def wanted(self) -> int:
        """How many are returned."""
        return self.n or 1

    @property
    def answers(self) -> int:
        """How many are written."""
        return self.best_of or self.wanted

    @model_validator(mode="after")
    def _check_best_of(self) -> Self:
        if self.best_of is not None and self.best_of < self.wanted:
            raise wrong("best_of", f"best_of is {self.best_of}, less than the {self.wanted} answers asked for")
        return self


class _Writing(Sampled):
    """What requests that write text have in common."""

    model: Name
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    stop: Stop | Annotated[list[Stop], items(16)] | None = None
    max_tokens: MaxTokens = None

    @property
    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def wants_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    @model_validator(mode="after")
    def _check_stream(self) -> Self:
        if (self.best_of or 1) > 1 and self.stream:
            raise wrong("best_of", "best_of cannot be streamed: the best is known only at the end")
        if self.stream_options is not None and not self.stream:
            raise wrong("stream_options", "stream_options go with stream only: say stream: true as well")
        return self


class ChatRequest(_Writing, Structured):
    """A conversation to answer.

    As OpenAI has it for sound, a field named as a modality M asks for its media as ``message.M`` beside ``parts``:
    ``"M": {"format": "wav"}`` says as what kind of file.
    """

    model_config = ConfigDict(extra="allow")
    parameters: ClassVar[Parameters] = CHAT
    messages: Messages
    modalities: Annotated[list[Name], items(50, least=1)] | None = Field(
        None,
        description='Kinds of answer, e.g. ["text"]; default: any that the model writes.',
    )
    max_completion_tokens: MaxTokens = Field(None, description="The newer name of max_tokens.")
    logprobs: bool | None = False
    top_logprobs: int | None = Field(None, ge=0, le=20)
    reasoning_effort: Effort | None = Field(
        None, description='Any but "none": think before the answer, where it is about media.'
    )

    @property
    def formats(self) -> dict[str, str | None]:
        """The kind of file that is asked for by modality, None for its own; see above."""
        asked = {name: value for name, value in (self.model_extra or {}).items() if isinstance(value, dict)}
        kinds = modality_names() if self.modalities is None else self.modalities
        return {name: value.get("format") for name, value in asked.items() if name in kinds}

    def said_of(self, name: str) -> dict[str, Any]:
        """What the field that is named as a modality says of it; see `formats`."""
        return (self.model_extra or {})[name]

    @classmethod
    def takes(cls, name: str, value: Any, data: dict[str, Any]) -> bool:
        kinds = data.get("modalities") or modality_names()
        return isinstance(value, dict) and isinstance(kinds, list | tuple) and name in kinds

    def sampling(self) -> dict[str, Any]:
        given = super().sampling()
        if self.max_completion_tokens is not None:
            given["max_tokens"] = self.max_completion_tokens
        return given | ({"logprobs": self.top_logprobs or 0} if self.logprobs else {})

    @model_validator(mode="after")
    def _check_top_logprobs(self) -> Self:
        if self.top_logprobs and not self.logprobs:
            raise wrong("top_logprobs", "top_logprobs go with logprobs only: say logprobs: true as well")
        return self


class CompletionRequest(_Writing):
    parameters: ClassVar[Parameters] = COMPLETIONS
    prompt: (
        String
        | Annotated[list[String], items(64, least=1)]
        | Annotated[list[TokenId], items(100_000, least=1)]
        | Annotated[list[Ids], items(64, least=1)]
    )
    max_tokens: int | None = Field(16, ge=0, description="Most ids to write; 0 for the prompt alone, with echo.")
    echo: bool | None = False
    logprobs: int | None = Field(None, ge=0, le=20)

    def sampling(self) -> dict[str, Any]:
        return super().sampling() | ({} if self.logprobs is None else {"logprobs": self.logprobs})


class TokenizeRequest(BaseModel):
    """Either ``messages``, or the ``content`` of one message and its ``role``."""

    model: Name
    messages: Messages | None = None
    content: Content | None = None
    role: RequestRole = "user"

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.messages is None) == (self.content is None):
            raise ValueError('give either "messages" or "content"')
        return self

    @property
    def turns(self) -> list[RequestMessage]:
        return self.messages or [RequestMessage(role=self.role, content=self.content)]


class DetokenizeRequest(BaseModel):
    model: Name
    ids: Ids


class LoadRequest(BaseModel):
    model: Name = Field(description="A model in the box, a folder, or a Hub id.")
    name: Name | None = Field(None, description="What requests call it; default: the last part of `model`.")


class UnloadRequest(BaseModel):
    model: Name
