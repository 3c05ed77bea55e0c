"""Models that inspect_ai can ask beside those it knows: our own in this process, and scripted ones.

``inspect eval TASK --model sensorium/nano`` finds them through the entry point ``inspect_ai``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput, ModelUsage, modelapi

from sensorium.engines import make_engine
from sensorium.generate import Assistant
from sensorium.generate.corruption import corrupted
from sensorium.grounding.media import part_of
from sensorium.grounding.scripts import SCRIPTS, Script
from sensorium.grounding.wording import box_said
from sensorium.modalities import Wish, modality
from sensorium.types import TEXT, Conversation, InputError, Message, Part

NOTHING_SAID = GenerateConfig()


@modelapi(name="sensorium")
class InProcess(ModelAPI):
    """A model of ours: it ranks the answers that there are to choose from by their likelihood, and writes others.

    Args:
        model_name: a model in the box, a folder or a Hub id.
        engine: see `sensorium.engines.make_engine`.
        contrast: see `sensorium.engines.Sampling`.
    """

    ranks = True
    replaces_tokens = True

    def __init__(self, model_name: str, base_url: str | None = None, api_key: str | None = None,
                 config: GenerateConfig = NOTHING_SAID, engine: str = "torch", contrast: float = 0.0,
                 **more: Any) -> None:  # fmt: skip
        super().__init__(model_name, base_url, api_key, [], config)
        self._engine, self.contrast = engine, float(contrast)

    @cached_property
    def assistant(self) -> Any:
        """The model, loaded when it is first asked."""
        found = Assistant.load(self.model_name)
        found.engine = make_engine(found.lm, self._engine)
        return found

    def max_connections(self) -> int:
        return 1

    async def generate(
        self, input: list[ChatMessage], tools: Any, tool_choice: Any, config: GenerateConfig
    ) -> ModelOutput:
        about = input[-1].metadata or {}
        return await asyncio.to_thread(self._answer, input, about, config)

    def _answer(self, input: list[ChatMessage], about: Mapping[str, Any], config: GenerateConfig) -> ModelOutput:
        senses, share = self.assistant.senses, float(about.get("replaced", 0.0))
        talk = senses.encode(conversation(input))
        talk = corrupted(talk, senses, share) if share else talk
        count = len(self.assistant.stream.render(talk, True).ids)
        options = about.get("options") or []
        if options:
            (best,) = self.assistant.rank(talk, options, 1, adapter=True, contrast=self.contrast)
            said, written = options[best.index], 1
        elif about.get("task") == "locate" and about.get("frame") and self.locates:
            reply = self.assistant.chat(talk, want=self.locates, temperature=0)
            said, written = _told(reply.parts, about["frame"]), len(reply.ids)
        else:
            most = config.max_tokens or 64
            reply = self.assistant.chat(talk, want=TEXT, temperature=0, max_tokens=most, contrast=self.contrast)
            said, written = reply.text.strip(), len(reply.ids)
        output = ModelOutput.from_content(self.model_name, said)
        output.usage = ModelUsage(input_tokens=count, output_tokens=written, total_tokens=count + written)
        return output

    @property
    def locates(self) -> str:
        """The modality by which it answers where something is; "" for words."""
        names = (layout.facts.modality for layout in self.assistant.vocabulary.writers())
        return next((name for name in names if modality(name).locates), "")


def _told(parts: Iterable[Part], frame: Sequence[float]) -> str:
    """The first place that is written, in words, in px of the frame (width, height); "" where none is."""
    wish = Wish(size=(round(frame[1]), round(frame[0])))
    for part in parts:
        if not part.is_text and part.data is not None and modality(part.modality).locates:
            found = modality(part.modality).open(part.data, wish).array
            return box_said(found[0]) if len(found) else ""
    return ""


def conversation(messages: list[ChatMessage]) -> Conversation:
    """Messages of inspect_ai as ours.

    Raises:
        InputError: a tool has answered, which our models do not read.
    """
    return Conversation(tuple(_message(one) for one in messages))


def _message(message: ChatMessage) -> Message:
    if message.role == "tool":
        raise InputError("a task uses tools, which models of sensorium do not; ask another model, or another task")
    return Message(message.role, _parts(message))


def _parts(message: ChatMessage) -> tuple[Part, ...]:
    if isinstance(message.content, str):
        return (Part(TEXT, message.content),)
    return tuple(Part(TEXT, one.text) if one.type == "text" else part_of(one) for one in message.content)


@modelapi(name="scripted")
class Scripted(ModelAPI):
    """One that follows a script; see `sensorium.grounding.scripts`.

    Args:
        model_name: name of the script.
        questions: file that the script knows the answers from, or has learned from.
    """

    def __init__(self, model_name: str, base_url: str | None = None, api_key: str | None = None,
                 config: GenerateConfig = NOTHING_SAID, questions: str = "", **more: Any) -> None:  # fmt: skip
        super().__init__(model_name, base_url, api_key, [], config)
        self._script: Script = SCRIPTS[model_name](questions)
        self.ranks = self._script.ranks

    async def generate(
        self, input: list[ChatMessage], tools: Any, tool_choice: Any, config: GenerateConfig
    ) -> ModelOutput:
        about, message = input[-1].metadata or {}, input[-1]
        seen = not isinstance(message.content, str) and any(one.type != "text" for one in message.content)
        said = self._script.answer(str(about["question"]), message.text, about.get("options") or [], seen)
        return ModelOutput.from_content(self.model_name, said)
