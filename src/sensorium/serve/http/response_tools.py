"""``tools`` and ``text`` as the Responses API spells them.

Beside functions, the tool ``M_generation`` stands for writing media of a modality M: `image_generation` is OpenAI's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from sensorium.modalities import modality
from sensorium.serve.http.errors import wrong
from sensorium.serve.http.fields import Name, String, items
from sensorium.serve.http.structured import (
    Choice,
    Formed,
    FunctionChoice,
    FunctionName,
    FunctionSpec,
    NamedSchema,
    ResponseFormat,
    Schema,
)
from sensorium.serve.registry import Served
from sensorium.types import TEXT, InputError

WRITES_MEDIA = re.compile(r"(\w{1,100})_generation")
SAYS_NOTHING: tuple[Any, ...] = (None, "auto", 0)


class TextFormat(BaseModel):
    """``text``, any JSON object, or JSON that fits ``schema``, which then has a ``name``."""

    type: Literal["text", "json_object", "json_schema"]
    name: FunctionName | None = None
    description: String | None = None
    schema_: Schema | None = Field(None, alias="schema")
    strict: bool | None = None

    @model_validator(mode="after")
    def _check_schema(self) -> Self:
        given = (self.name is not None, self.schema_ is not None)
        if given != (self.type == "json_schema",) * 2:
            raise ValueError('name and schema belong to the type "json_schema", and only to it')
        return self

    def as_in_chats(self) -> ResponseFormat:
        """The same as a chat's ``response_format``."""
        if self.name is None:
            return ResponseFormat(type=self.type)
        named: dict[str, Any] = {"name": self.name, "schema": self.schema_, "strict": self.strict}
        return ResponseFormat(type=self.type, json_schema=NamedSchema(**named))


class TextConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")
    format: TextFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = Field(None, description='Only "medium" is offered.')


class FunctionTool(FunctionSpec):
    type: Literal["function"]


class OtherTool(BaseModel):
    """``M_generation`` for a modality M that the model writes; no other tool is offered."""

    model_config = ConfigDict(extra="allow")
    type: Name

    @property
    def writes(self) -> str | None:
        """The modality whose media it stands for."""
        match = WRITES_MEDIA.fullmatch(self.type)
        return None if match is None else match[1]


def _kind(tool: Any) -> str:
    said = tool.get("type") if isinstance(tool, dict) else getattr(tool, "type", None)
    return "a-function" if said == "function" else "another-tool"


ResponseTool = Annotated[
    Annotated[FunctionTool, Tag("a-function")] | Annotated[OtherTool, Tag("another-tool")], Discriminator(_kind)
]


class ChosenTool(BaseModel):
    """``{"type": "function", "name": ...}``, or another tool by its type."""

    type: Name
    name: FunctionName | None = None


class ResponseFormed(Formed):
    """The fields of a response's request about the form of its answer."""

    text: TextConfig | None = Field(None, description="The form of the text.")
    tools: Annotated[list[ResponseTool], items(128)] | None = Field(
        None, description="Functions that the model may ask for, and M_generation for media that it writes."
    )
    tool_choice: Literal["none", "auto", "required"] | ChosenTool | None = Field(
        None, description='Whether it may or must call; "auto" unless said otherwise.'
    )

    @property
    def format(self) -> ResponseFormat | None:
        return None if self.text is None or self.text.format is None else self.text.format.as_in_chats()

    @property
    def functions(self) -> list[FunctionSpec]:
        return [one for one in self.tools or () if isinstance(one, FunctionTool)]

    @property
    def choice(self) -> Choice:
        chosen = self.tool_choice
        if isinstance(chosen, ChosenTool):
            return FunctionChoice(name=chosen.name) if chosen.type == "function" and chosen.name else "none"
        return "auto" if self._must_write_media else chosen or "auto"

    @property
    def media_tools(self) -> list[str]:
        """The modalities whose media are among the tools."""
        return list(dict.fromkeys(one.writes for _, one in self._others() if one.writes is not None))

    @property
    def _must_write_media(self) -> bool:
        """Whether a tool is required and all of them write media; beside functions, one of these is called."""
        return self.tool_choice == "required" and bool(self.media_tools) and not self.functions

    def wanted_kinds(self, modalities: list[str] | None) -> list[str] | None:
        """The kinds of answer, given those that the request names."""
        chosen = self.tool_choice
        if isinstance(chosen, ChosenTool) and chosen.type != "function":
            return [OtherTool(type=chosen.type).writes or TEXT]
        if self._must_write_media:
            return self.media_tools
        return [TEXT] if chosen == "none" and self.media_tools else modalities

    def check_media_tools(self, served: Served) -> None:
        """Refuse the tools of media that the model does not write, or not as they ask for.

        Raises:
            ApiError: 400 that names the tool.
        """
        for number, tool in self._others():
            name = tool.writes
            assert name is not None, "checked with the request"
            try:
                served.model.vocabulary.writer(name)
            except InputError as error:
                raise wrong(f"tools[{number}].type", str(error), "unsupported_value") from error
            own = modality(name).media_types[0].rpartition("/")[2]
            for field, value in (tool.model_extra or {}).items():
                if value not in (*SAYS_NOTHING, own if field == "output_format" else None):
                    message = f"{tool.type} takes no {field[:100]!r} here; leave it out, or at 'auto'"
                    raise wrong(f"tools[{number}].{field[:100]}", message, "unsupported_parameter")

    def _others(self) -> Iterator[tuple[int, OtherTool]]:
        return ((n, one) for n, one in enumerate(self.tools or ()) if isinstance(one, OtherTool))

    @model_validator(mode="after")
    def _check_others(self) -> Self:
        for number, tool in self._others():
            if tool.writes is None:
                message = (
                    f"tools of the type {tool.type[:100]!r} are not offered by this server; send functions, or "
                    "M_generation for a modality M that the model writes"
                )
                raise wrong(f"tools[{number}].type", message, "unsupported_value")
        chosen = self.tool_choice
        if isinstance(chosen, ChosenTool) and chosen.type != "function":
            if chosen.type not in [one.type for _, one in self._others()]:
                message = f"tool_choice names {chosen.type[:100]!r}, which is not one of the tools"
                raise wrong("tool_choice", message, "unsupported_value")
        elif isinstance(chosen, ChosenTool) and chosen.name is None:
            raise wrong("tool_choice.name", "tool_choice names no function: say its name", "missing_required_parameter")
        if self.text is not None and self.text.verbosity not in (None, "medium"):
            message = "only the verbosity 'medium' is offered; say in words how long the answer should be"
            raise wrong("text.verbosity", message, "unsupported_value")
        return self
