"""What a request may say: every parameter of OpenAI's is done, taken without effect, or refused by its name.

A parameter is done when it is a field of the request's class. One that is null says no more than one that is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from sensorium.serve.http.errors import ApiError

if TYPE_CHECKING:
    from sensorium.serve.registry import Served

Status = Literal["done", "without effect", "refused"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
"""Of thinking before an answer: none, or whatever the model does; there is one way only."""

NEVER_MORE = "leave it out"
NOTHING_STORED = "nothing is stored here: send the whole conversation with each request"


@dataclass(frozen=True)
class Refused:
    """A parameter that would change the answer and is not offered.

    Args:
        instead: what to do.
        neutral: values that say what happens anyway; they are let through.
    """

    instead: str = NEVER_MORE
    neutral: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Parameters:
    """Those of an endpoint that are not fields of its request.

    Args:
        harmless: what changes no answer: names of users, hints for caches, notes that are stored nowhere.
        refused: by name.
    """

    harmless: Collection[str] = ()
    refused: Mapping[str, Refused] = field(default_factory=dict)

    def check(self, name: str, value: Any) -> None:
        """Refuse a parameter that is no field.

        Raises:
            ApiError: 400 that names it: ``unsupported_parameter``, or ``unknown_parameter``.
        """
        if value is None or name in self.harmless:
            return
        told = repr(name[:100])
        if name not in self.refused:
            message = f"unknown parameter: {told} is none of this endpoint's; leave it out"
            raise ApiError(400, message, param=name[:100], code="unknown_parameter")
        refused = self.refused[name]
        if value not in refused.neutral:
            message = f"unsupported parameter: {told} is not offered by this server; {refused.instead}"
            raise ApiError(400, message, param=name[:100], code="unsupported_parameter")

    def status(self, name: str, fields: Collection[str]) -> Status:
        """What becomes of a parameter, given the fields of the request."""
        if name in fields:
            return "done"
        return "without effect" if name in self.harmless else "refused"


ANYBODY = (
    "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "service_tier",
    "metadata",
)  # fmt: skip
"""Who asks, and hints for the provider's caches, machines and notes."""
CHANCES = {
    "logit_bias": Refused(neutral=({},)),
    "frequency_penalty": Refused("leave it out or at 0", neutral=(0,)),
    "presence_penalty": Refused("leave it out or at 0", neutral=(0,)),
}

CHAT = Parameters(
    harmless=(*ANYBODY, "store", "prediction"),
    refused={
        **CHANCES,
        "verbosity": Refused("say in words how long the answer should be", neutral=("medium",)),
        "functions": Refused("it is the old form of tools; send tools", neutral=([],)),
        "function_call": Refused("it is the old form of tool_choice; send tool_choice"),
        "web_search_options": Refused("this server asks nothing of the internet"),
        "moderation": Refused("nothing here judges texts"),
    },
)
COMPLETIONS = Parameters(
    harmless=ANYBODY, refused={**CHANCES, "suffix": Refused("text is only continued", neutral=("",))}
)
RESPONSES = Parameters(
    harmless=(*ANYBODY, "max_tool_calls"),
    refused={
        "store": Refused(f"{NOTHING_STORED}, with store left out or false", neutral=(False,)),
        "previous_response_id": Refused(NOTHING_STORED),
        "conversation": Refused(NOTHING_STORED),
        "prompt": Refused("no prompts are stored here: send its words as instructions and input"),
        "background": Refused("wait for the answer, or take it as a stream", neutral=(False,)),
        "truncation": Refused("shorten the conversation yourself", neutral=("disabled",)),
        "context_management": Refused("shorten the conversation yourself", neutral=([],)),
        "moderation": Refused("nothing here judges texts"),
    },
)


def thinks_first(name: str, effort: Effort | None, served: Served) -> bool:
    """Whether the model is to think before it answers.

    Raises:
        ApiError: 400 that names the parameter, the model does not think.
    """
    if effort in (None, "none"):
        return False
    if served.model.thinking is None:
        message = f"unsupported parameter: {name!r}: the model {served.name!r} does not think first; {NEVER_MORE}"
        raise ApiError(400, message, param=name, code="unsupported_parameter")
    return True
