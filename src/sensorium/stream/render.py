"""`render`: a conversation to token ids, loss mask and positions. `parse`: ids to parts.

One function turns typed parts into ``(ids, mask)``; nothing else in the project builds a prompt. The chat
template of the base model's tokenizer is used as it is, so a text-only conversation gets exactly the ids that
``tokenizer.apply_chat_template`` gives, and text that spells a special token stays text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sensorium.stream.form import Form
from sensorium.stream.spelling import Speller, Spelling
from sensorium.stream.template import ChatTemplate
from sensorium.types import TEXT, Conversation, InputError, Part
from sensorium.vocabulary import Vocabulary

# Private-use characters stand for the parts while the chat template is applied. Should they occur in a
# user's text, nothing is confused: the template never sees that text. Of tools, which it does see, they are refused.
MARK = "\ue0f0"
CALL = "<tool_call>"
"""What opens the call of a tool, in the form that most templates tell (Hermes, Qwen, SmolLM3)."""
PLACEHOLDER = re.compile(f"{MARK}(\\d+)/{MARK}")

DEFAULT_TEMPLATE = (
    "{% for message in messages %}{{ message.role }}:\n{{ message.content }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:\n{% endif %}"
)


@dataclass(frozen=True)
class Piece:
    """Where a part lies in the ids: ``ids[start:stop]``."""

    message: int
    part: int
    start: int
    stop: int


@dataclass(frozen=True)
class Rendered:
    """Args:
    ids: (T,) int32 token ids.
    mask: (T,) bool, True where the model should learn to predict the id (what the assistant says).
    pieces: position of every part, in reading order.
    """

    ids: np.ndarray
    mask: np.ndarray
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class _Segment:
    """A stretch of the rendered conversation: template text, a text part, or a medium."""

    text: str
    medium: Part | None
    piece: tuple[int, int] | None
    learn: bool


class Stream:
    """Conversations <-> ids for one tokenizer and vocabulary.

    Args:
        tokenizer: a fast Hugging Face tokenizer, already extended with the vocabulary's tokens.
        vocabulary: the joint vocabulary.
    """

    def __init__(self, tokenizer: Any, vocabulary: Vocabulary):
        self.tokenizer = tokenizer
        self.vocabulary = vocabulary
        self._opens = {layout.open_id: layout for layout in vocabulary.layouts}
        self._template_read: ChatTemplate | None = None

    @cached_property
    def text_stop(self) -> int:
        """One past the last id that is text: ids from here to ``text_size`` are reserved rows."""
        text_size = self.vocabulary.text_size
        vocabulary = self.tokenizer.get_vocab()
        reserved = [i for token, i in vocabulary.items() if token.startswith("<|reserved:") and i < text_size]
        return min(reserved, default=min(text_size, len(vocabulary)))

    @cached_property
    def stop_ids(self) -> tuple[int, ...]:
        """Ids that end an assistant's turn: what the template writes after it, and the end-of-text id."""
        found = [self._after_turn, self.tokenizer.eos_token_id]
        return tuple(dict.fromkeys(id_ for id_ in found if id_ is not None))

    @cached_property
    def _after_turn(self) -> int | None:
        segments = self._template([("user", [0]), ("assistant", [1])], reply=False)
        tail = segments[-1] if isinstance(segments[-1], str) else ""
        ids = self._tokenize(tail)
        return ids[0] if ids and ids[0] in set(self.tokenizer.all_special_ids) | self._added_ids else None

    @cached_property
    def _added_ids(self) -> set[int]:
        return set(self.tokenizer.get_added_vocab().values())

    @cached_property
    def speller(self) -> Speller:
        """What compiles forms of text; InputError if its library is missing."""
        return Speller(self.tokenizer, self.text_stop, self.stop_ids)

    def spelling(self, form: Form) -> Spelling:
        """A text of a form, at its beginning; see `Speller.spelling`."""
        return self.speller.spelling(form)

    @property
    def tells_tools(self) -> bool:
        """Whether the chat template tells the model of tools, and to call them in the form of `CALL`."""
        template = self.tokenizer.chat_template
        return isinstance(template, str) and CALL in template and "tools" in template

    def render(self, conversation: Conversation, reply: bool = False, tools: Sequence[Any] = ()) -> Rendered:
        """Ids of a conversation whose media already have codes.

        Args:
            reply: end with the template's opening of an assistant's turn, ready for an answer.
            tools: that the model is told of, as OpenAI describes them, where the template `tells_tools`.

        Raises:
            InputError: a medium has no codes or codes of a codec that this model does not have, or the
                chat template cannot express the conversation.
        """
        ids: list[int] = []
        mask: list[bool] = []
        pieces: list[Piece] = []
        for run in _runs(self._segments(conversation, reply, tools)):
            for segment, segment_ids in self._run_ids(run):
                if segment.piece is not None:
                    pieces.append(Piece(*segment.piece, len(ids), len(ids) + len(segment_ids)))
                learned = len(segment_ids) if segment.piece is not None else min(1, len(segment_ids))
                mask += [segment.learn and index < learned for index in range(len(segment_ids))]
                ids += segment_ids
        return Rendered(np.array(ids, dtype=np.int32), np.array(mask, dtype=bool), tuple(pieces))

    def parse(self, ids: Iterable[int]) -> list[Part]:
        """Parts spelled by ids: text, and media with codes. Never raises on a model's output.

        A medium that is cut or malformed comes back as the text of its tokens. Special tokens of the base model
        (end of turn and the like) are left out.
        """
        ids = [int(id_) for id_ in ids]
        parts: list[Part] = []
        text: list[int] = []
        at = 0
        while at < len(ids):
            medium, stop = self._medium_at(ids, at)
            if medium is None:
                text.append(ids[at])
                at += 1
            else:
                _flush(parts, self._text_of(text))
                text = []
                parts.append(medium)
                at = stop
        _flush(parts, self._text_of(text))
        return parts

    def _medium_at(self, ids: Sequence[int], at: int) -> tuple[Part | None, int]:
        layout = self._opens.get(ids[at])
        if layout is None:
            return None, at
        limit = min(len(ids), at + layout.max_tokens)
        close = at + 1
        while close < limit and layout.close_id < ids[close] < layout.stop:
            close += 1
        if close >= limit or ids[close] != layout.close_id:
            return None, at
        try:
            codes = layout.codes(ids[at + 1 : close])
        except InputError:
            return None, at
        return Part(layout.facts.modality, codes=codes, codec=layout.name), close + 1

    def _text_of(self, ids: list[int]) -> str:
        dropped = set(self.stop_ids) | set(self.tokenizer.all_special_ids)
        text_size, size = self.vocabulary.text_size, self.vocabulary.size
        kept = [id_ for id_ in ids if id_ < size and (id_ not in dropped or id_ >= text_size)]
        return self.tokenizer.decode(kept, skip_special_tokens=False, clean_up_tokenization_spaces=False)

    def _segments(self, conversation: Conversation, reply: bool, tools: Sequence[Any]) -> list[_Segment]:
        messages = conversation.messages
        parts = [(m, p, part) for m, message in enumerate(messages) for p, part in enumerate(message.parts)]
        numbers = iter(range(len(parts)))
        turns: list[tuple[str, list[int]]] = [
            (message.role, [next(numbers) for _ in message.parts]) for message in messages
        ]
        segments: list[_Segment] = []
        ends = False
        for item in self._template(turns, reply, tools):
            if isinstance(item, str):
                segments.append(_Segment(item, None, None, learn=ends))
                ends = False
                continue
            message, index, part = parts[item]
            answers = messages[message].role == "assistant" and messages[message].learned
            ends = answers and messages[message].finished
            text = part.data if part.is_text else ""
            segments.append(_Segment(text, None if part.is_text else part, (message, index), answers))
        return segments

    def _template(self, turns: list[tuple[str, list[int]]], reply: bool, tools: Sequence[Any] = ()) -> list[str | int]:
        """The chat template applied to numbered placeholders: template text and part numbers, in order."""
        messages = [
            {"role": role, "content": "".join(f"{MARK}{number}/{MARK}" for number in numbers)}
            for role, numbers in turns
        ]
        told = json.dumps(list(tools), ensure_ascii=False)
        if (found := self._special_strings.search(told)) is not None:
            raise InputError(f"a tool's description spells the special token {found[0]!r}; write it otherwise")
        if MARK in told:
            raise InputError(f"a tool's description holds the character U+{ord(MARK):04X}; leave it out")
        text = self._chat_template.render(messages, reply, tools)
        pieces = PLACEHOLDER.split(text)
        items: list[str | int] = [int(piece) if i % 2 else piece for i, piece in enumerate(pieces)]
        if [item for item in items if isinstance(item, int)] != [n for _, numbers in turns for n in numbers]:
            raise InputError("the model's chat template leaves out or reorders messages of this conversation")
        return [item for item in items if item != ""]

    @property
    def _chat_template(self) -> ChatTemplate:
        """The tokenizer's, or one that any model can read."""
        known = self.tokenizer.chat_template or DEFAULT_TEMPLATE
        if isinstance(known, dict):  # several by name
            known = known.get("default", DEFAULT_TEMPLATE)
        if self._template_read is None or self._template_read.source != known:
            self._template_read = ChatTemplate(known, self.tokenizer.special_tokens_map)
        return self._template_read

    def _run_ids(self, run: list[_Segment]) -> list[tuple[_Segment, list[int]]]:
        """Ids of segments that are tokenised together, each id given to the segment where it starts."""
        if run[0].medium is not None:
            return [(run[0], self._medium_ids(run[0].medium, run[0].learn))]
        if any(segment.piece is not None and self._spells_special(segment.text) for segment in run):
            return [(s, self._tokenize(s.text, as_plain_text=s.piece is not None)) for s in run]
        encoded = self.tokenizer(
            "".join(segment.text for segment in run), add_special_tokens=False, return_offsets_mapping=True
        )
        bounds = np.cumsum([len(segment.text) for segment in run])
        owners = np.searchsorted(bounds, [start for start, _ in encoded["offset_mapping"]], side="right")
        owned: list[list[int]] = [[] for _ in run]
        for owner, id_ in zip(owners, encoded["input_ids"], strict=True):
            owned[min(int(owner), len(run) - 1)].append(id_)
        return list(zip(run, owned, strict=True))

    def _medium_ids(self, part: Part, answer: bool) -> list[int]:
        if part.codes is None or part.codec is None:
            layout = self.vocabulary.writer(part.modality) if answer else self.vocabulary.reader(part.modality)
            raise InputError(f"a part of modality {part.modality!r} has no codes; encode it with codec {layout.name!r}")
        return self.vocabulary.layout(part.codec).ids(part.codes)

    @cached_property
    def _special_strings(self) -> re.Pattern[str]:
        base = [token for token, id_ in self.tokenizer.get_added_vocab().items() if id_ < self.vocabulary.text_size]
        names = "|".join(re.escape(layout.name) for layout in self.vocabulary.layouts)
        media = [rf"<\|/?(?:{names})(?::[^<>|/:\s]+)*\|>"] if names else []
        return re.compile("|".join([*map(re.escape, base), *media]) or r"(?!)")

    def _spells_special(self, text: str) -> bool:
        return self._special_strings.search(text) is not None

    def _tokenize(self, text: str, as_plain_text: bool = False) -> list[int]:
        """Ids of a text. As plain text, strings that look like special tokens are cut so that they stay text."""
        if not as_plain_text:
            return self.tokenizer(text, add_special_tokens=False)["input_ids"]
        ids: list[int] = []
        for piece in self._cut_specials(text):
            ids += self.tokenizer(piece, add_special_tokens=False)["input_ids"]
        return ids

    def _cut_specials(self, text: str) -> list[str]:
        cuts = [match.start() + 1 for match in self._special_strings.finditer(text)]
        edges = [0, *cuts, len(text)]
        return [text[a:b] for a, b in zip(edges, edges[1:], strict=False) if a < b]


def canonical(parts: Iterable[Part]) -> list[Part]:
    """Parts with neighbouring texts joined and empty texts dropped: the form that `Stream.parse` returns."""
    joined: list[Part] = []
    for part in parts:
        if part.is_text:
            _flush(joined, part.data)
        else:
            joined.append(part)
    return joined


def _flush(parts: list[Part], text: str) -> None:
    if not text:
        return
    if parts and parts[-1].is_text:
        parts[-1] = Part(TEXT, parts[-1].data + text)
    else:
        parts.append(Part(TEXT, text))


def _runs(segments: list[_Segment]) -> Iterable[list[_Segment]]:
    """Segments grouped for tokenising: cut around media, and where an answer starts or ends.

    Answers are cut off from the prompt because at inference the prompt is tokenised before the answer exists.
    """
    run: list[_Segment] = []
    for segment in segments:
        answers = segment.learn and segment.piece is not None
        cut = run and (
            segment.medium is not None
            or run[-1].medium is not None
            or answers != (run[-1].learn and run[-1].piece is not None)
        )
        if cut:
            yield run
            run = []
        run.append(segment)
    if run:
        yield run
