"""What a request says of JSON and of tools, as chats spell it, and the form of the answer that follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from sensorium.generate.tools import Tool, calls_form
from sensorium.serve.http.compilers import Compilers
from sensorium.serve.http.errors import wrong
from sensorium.serve.http.fields import String, items, whole_characters
from sensorium.stream import Form, Spelling
from sensorium.stream.form import ANY_OBJECT, json_rule, json_text
from sensorium.types import InputError

if TYPE_CHECKING:
    from sensorium.serve.registry import Served

COMPILE_S = 2.0
"""In which a form must be compiled. Its size and depth, and what the library may spend on it, are bounded before."""
MAX_BYTES = 2**18
"""Of all schemas of a request together, as JSON."""
MOST_DESCRIPTION = 20_000
"""Characters of what a function is for."""

Schema = Annotated[dict[str, Any], AfterValidator(whole_characters)]
Description = Annotated[str, StringConstraints(max_length=MOST_DESCRIPTION), AfterValidator(whole_characters)]
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
    description: Description | None = None
    parameters: Schema | None = Field(None, description="JSON schema of an object.")
    strict: bool | None = None

    def tool(self) -> Tool:
        known = {} if self.parameters is None else {"parameters": self.parameters}
        return Tool(self.name, self.description, strict=bool(self.strict), **known)


class ToolSpec(BaseModel):
    type: Literal["function"]
    function: FunctionSpec


class FunctionChoice(BaseModel):
    name: FunctionName


class NamedTool(BaseModel):
    type: Literal["function"]
    function: FunctionChoice


Choice = Literal["none", "auto", "required"] | FunctionChoice


class Formed(BaseModel):
    """What a request says of the form of its answer, however its API spells it."""

    parallel_tool_calls: bool | None = Field(None, description="Whether an answer may call several; default true.")

    @property
    def format(self) -> ResponseFormat | None:
        """Of the text; None for any."""
        raise NotImplementedError

    @property
    def functions(self) -> list[FunctionSpec]:
        """That may be called."""
        raise NotImplementedError

    @property
    def choice(self) -> Choice:
        """Whether one of them may be called, or must."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _check_functions(self) -> Self:
        names = [one.name for one in self.functions]
        if len(set(names)) < len(names):
            raise wrong("tools", "tools: two functions have one name")
        if self.choice not in ("none", "auto") and not names:
            raise wrong("tool_choice", "tool_choice asks for a call, but there are no tools")
        if isinstance(self.choice, FunctionChoice) and self.choice.name not in names:
            raise wrong("tool_choice", f"tool_choice names {self.choice.name!r}, which is not one of the tools")
        return self

    @property
    def calls(self) -> bool:
        """Whether the answer may call a function."""
        return bool(self.functions) and self.choice != "none"

    def offered(self) -> list[Tool]:
        """The tools that the model is told of."""
        return [one.tool() for one in self.functions] if self.calls else []

    def form(self) -> Form | None:
        """Of the answer's text; None for any text.

        Raises:
            InputError: a schema is refused, or all together are too large.
        """
        self._check_size()
        rule = self.format.rule() if self.format is not None else None
        tools, choice = self.offered(), self.choice
        if not tools:
            return None if rule is None else Form(f"start: {rule}")
        if isinstance(choice, FunctionChoice):
            tools = [tool for tool in tools if tool.name == choice.name]
        several = self.parallel_tool_calls is not False
        if choice == "auto":
            return calls_form(tools, several=several, **({} if rule is None else {"text": rule}))
        return calls_form(tools, text=None, several=several and not isinstance(choice, FunctionChoice))

    def _check_size(self) -> None:
        schemas = [tool.parameters for tool in self.offered()]
        if self.format is not None and self.format.json_schema is not None:
            schemas.append(self.format.json_schema.schema_)
        size = 0
        for schema in schemas:
            size += len(json_text(schema).encode())
            if size > MAX_BYTES:
                raise InputError(
                    f"the schemas of the tools and of the answer take more than {MAX_BYTES} bytes together; "
                    "offer fewer tools, or simpler ones"
                )


class Structured(Formed):
    """The fields of a chat request about the form of its answer."""

    response_format: ResponseFormat | None = Field(None, description="The form of the text.")
    tools: Annotated[list[ToolSpec], items(128)] | None = Field(
        None, description="Functions that the model may ask for."
    )
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = Field(
        None, description='Whether it may or must call; "auto" unless said otherwise.'
    )

    @property
    def format(self) -> ResponseFormat | None:
        return self.response_format

    @property
    def functions(self) -> list[FunctionSpec]:
        return [one.function for one in self.tools or ()]

    @property
    def choice(self) -> Choice:
        return self.tool_choice.function if isinstance(self.tool_choice, NamedTool) else self.tool_choice or "auto"


async def compiled(body: Formed, served: Served, compilers: Compilers) -> Spelling | None:
    """The form of an answer, compiled beside the event loop.

    Raises:
        InputError: it cannot be compiled, or takes too long.
        ApiError: 429, the client has too many waiting to be compiled.
    """
    if not body.calls and (body.format is None or body.format.type == "text"):
        return None
    speller = await served.at_desk(lambda: served.model.stream.speller)  # made once, which takes a moment

    def compile_() -> Spelling | None:
        form = body.form()
        return None if form is None else speller.spelling(form)

    try:
        return await compilers.run(compile_, COMPILE_S)
    except TimeoutError:
        raise InputError(f"the schema takes longer than {COMPILE_S:g} s to compile; make it simpler") from None
