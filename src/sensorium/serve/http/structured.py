"""``response_format`` and ``tools`` of a chat request, and the form of the answer that follows from them."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from sensorium.generate.tools import Tool, calls_form
from sensorium.serve.http.fields import String, items, whole_characters
from sensorium.stream import Form, Spelling
from sensorium.stream.form import ANY_OBJECT, json_rule
from sensorium.types import InputError

if TYPE_CHECKING:
    from sensorium.serve.registry import Served

COMPILE_S = 2.0
"""In which a form must be compiled. Its size and depth, and what the library may spend on it, are bounded before."""

_compilers = ThreadPoolExecutor(2, thread_name_prefix="sensorium-forms")


Schema = Annotated[dict[str, Any], AfterValidator(whole_characters)]
FunctionName = Annotated[str, Field(pattern="^[a-zA-Z0-9_.-]{1,64}$")]


class NamedSchema(BaseModel):
    """``strict``: refuse a schema of which something cannot be enforced, which is left out otherwise."""

    name: FunctionName
    description: String | None = None
    schema_: Schema = Field(default_factory=lambda: {"type": "object"}, alias="schema")
    strict: bool | None = None


class ResponseFormat(BaseModel):
    """``text``, any JSON object, or JSON that fits a schema."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None

    @model_validator(mode="after")
    def _check_schema(self) -> Self:
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise ValueError(
                'json_schema: {"name": ..., "schema": {...}} belongs to the type "json_schema", and only to it'
            )
        return self

    def rule(self) -> str | None:
        """The right side of the grammar's rule for it; None for any text."""
        if self.type == "text":
            return None
        if self.json_schema is None:
            return json_rule(ANY_OBJECT)
        return json_rule(self.json_schema.schema_, lenient=not self.json_schema.strict)


class FunctionSpec(BaseModel):
    name: FunctionName
    description: String | None = None
    parameters: Schema | None = Field(None, description="JSON schema of an object.")
    strict: bool | None = None


class ToolSpec(BaseModel):
    type: Literal["function"]
    function: FunctionSpec

    def tool(self) -> Tool:
        said = self.function
        known = {} if said.parameters is None else {"parameters": said.parameters}
        return Tool(said.name, said.description, strict=bool(said.strict), **known)


class FunctionChoice(BaseModel):
    name: FunctionName


class NamedTool(BaseModel):
    type: Literal["function"]
    function: FunctionChoice


class Structured(BaseModel):
    """The fields of a chat request about the form of its answer."""

    response_format: ResponseFormat | None = Field(None, description="The form of the text.")
    tools: Annotated[list[ToolSpec], items(128)] | None = Field(
        None, description="Functions that the model may ask for."
    )
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = Field(
        None, description='Whether it may or must call; "auto" unless said otherwise.'
    )
    parallel_tool_calls: bool | None = Field(None, description="Whether an answer may call several; default true.")

    @model_validator(mode="after")
    def _check_tools(self) -> Self:
        names = [one.function.name for one in self.tools or ()]
        if len(set(names)) < len(names):
            raise ValueError("tools: two functions have one name")
        if self.tool_choice not in (None, "none", "auto") and not names:
            raise ValueError("tool_choice asks for a call, but there are no tools")
        if isinstance(self.tool_choice, NamedTool) and self.tool_choice.function.name not in names:
            raise ValueError(f"tool_choice names {self.tool_choice.function.name!r}, which is not one of the tools")
        return self

    @property
    def calls(self) -> bool:
        """Whether the answer may call a function."""
        return bool(self.tools) and self.tool_choice != "none"

    def offered(self) -> list[Tool]:
        """The tools that the model is told of."""
        return [one.tool() for one in self.tools or ()] if self.calls else []

    def form(self) -> Form | None:
        """Of the answer's text; None for any text.

        Raises:
            InputError: a schema is refused.
        """
        rule = self.response_format.rule() if self.response_format is not None else None
        tools, choice = self.offered(), self.tool_choice
        if not tools:
            return None if rule is None else Form(f"start: {rule}")
        if isinstance(choice, NamedTool):
            tools = [tool for tool in tools if tool.name == choice.function.name]
        several = self.parallel_tool_calls is not False
        if choice in (None, "auto"):
            return calls_form(tools, several=several, **({} if rule is None else {"text": rule}))
        return calls_form(tools, text=None, several=several and not isinstance(choice, NamedTool))


async def compiled(body: Structured, served: Served) -> Spelling | None:
    """The form of an answer, compiled in a thread of its own.

    Raises:
        InputError: it cannot be compiled, or takes too long.
    """
    if not body.calls and (body.response_format is None or body.response_format.type == "text"):
        return None
    speller = await served.at_desk(lambda: served.model.stream.speller)  # made once, which takes a moment

    def compile_() -> Spelling | None:
        form = body.form()
        return None if form is None else speller.spelling(form)

    try:
        return await asyncio.wait_for(asyncio.wrap_future(_compilers.submit(compile_)), COMPILE_S)
    except TimeoutError:
        raise InputError(f"the schema takes longer than {COMPILE_S:g} s to compile; make it simpler") from None
