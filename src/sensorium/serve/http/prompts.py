"""Prompts of ``/v1/completions``: their ids, the text they are echoed as, and how likely each id of them is.

A prompt's log-probabilities are the plain model's, over the whole vocabulary, as transformers' log-softmax gives them:
nothing of it was written under the grammar.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from sensorium.engines import Known, Token
from sensorium.generate import Assistant
from sensorium.model import context_of
from sensorium.serve.http.replies import CompletionLogprobs
from sensorium.serve.http.tokens import check_ids, readable
from sensorium.serve.registry import Served
from sensorium.serve.writing.transcript import UNFINISHED, Text, Transcript
from sensorium.types import InputError, TooLong

LONGEST_CHARACTER = 4
"""In bytes of UTF-8, and so in ids."""
MOST_WAITING = 2 * LONGEST_CHARACTER
"""Ids that are decoded again with each one that follows."""


@dataclass(frozen=True)
class Prompt:
    """What is continued.

    Args:
        text: as it is echoed; empty for ids that are not.
        ids: not empty.
        offsets: where in the text each id begins; bytes of one character begin with it. Empty where the text is.
        about_media: whether there are codes of media among the ids.
    """

    text: str
    ids: list[int]
    offsets: list[int]
    about_media: bool

    @classmethod
    def of(cls, given: str | list[int], served: Served, room: int, echo: bool) -> Prompt:
        """A prompt of text or ids, after which ``room`` ids are to be written; ids are spelled for an echo alone.

        Raises:
            InputError: it is empty, holds an id that the model does not have, or is longer than the model's context.
        """
        model = served.model
        text, ids, offsets = "", [], []
        if isinstance(given, str):
            encoded = model.tokenizer(given, add_special_tokens=True, return_offsets_mapping=True)
            text, ids, offsets = given, list(encoded["input_ids"]), _starts(encoded["offset_mapping"])
        else:
            check_ids(given, model)
            ids = given
        if not ids:
            raise InputError("the prompt is empty; give at least one token")
        _check_length(ids, model, room)
        if echo and not isinstance(given, str):
            pieces = spelled(given, served)
            text, offsets = "".join(pieces), _offsets(pieces, readable(served, given))
        about_media = any(id_ >= model.vocabulary.text_size for id_ in ids)
        return cls(text, list(ids), offsets, about_media)

    async def known(self, served: Served, top: int) -> list[Known]:
        """How likely its ids are; read between two steps of whatever is being written."""
        call = served.scheduler.call(partial(served.model.engine.known, self.ids, top, self.about_media))
        return await asyncio.wrap_future(call)


def _check_length(ids: Sequence[int], model: Assistant, room: int) -> None:
    context = context_of(model.lm)
    if context is not None and len(ids) + min(room, 1) > context:
        raise TooLong(
            f"this model's maximum context length is {context} tokens, the prompt takes {len(ids)}; shorten the prompt"
        )


def _starts(spans: Iterable[tuple[int, int]]) -> list[int]:
    """Where each token begins: spaces before a word are its own, which tokenizers leave out of its span."""
    starts: list[int] = []
    end = 0
    for start, stop in spans:
        starts.append(max(min(start, end), starts[-1] if starts else 0))
        end = max(end, stop)
    return starts


def _offsets(pieces: Iterable[str], names: Iterable[str], start: int = 0) -> list[int]:
    """Where each token begins in the pieces of text that are told with it, joined."""
    offsets: list[int] = []
    for piece, name in zip(pieces, names, strict=True):
        offsets.append(start + _before(piece, name))
        start += len(piece)
    return offsets


def _before(piece: str, name: str) -> int:
    """Characters told with a token that belong to those before it: bytes that turned out to be no character."""
    return len(piece) - len(name) if UNFINISHED not in name and piece.endswith(name) else 0


def spelled(ids: Sequence[int], served: Served) -> list[str]:
    """The text of each id; joined, that of all. Of a character of several ids, the last has it; names as `readable`."""
    pieces: list[str] = []
    text: list[int] = []  # the last ids since one that has a name: those told last, and those that wait
    told = length = 0  # of these, how many ids and characters are told
    for id_, following in pairwise([*ids, None]):
        assert id_ is not None
        if id_ in served.named_ids:
            pieces += readable(served, [id_])
            text, told, length = [], 0, 0
            continue
        text.append(id_)
        whole = _decoded(text, served)
        last = following is None or following in served.named_ids
        ready = len(whole) > length and (last or not whole.endswith(UNFINISHED))
        if ready:
            pieces.append(whole[length:])
            text, told = text[told:], len(text) - told
            length = len(_decoded(text, served))
        elif len(text) - told < MOST_WAITING:
            pieces.append("")
        else:  # bytes that are no character: the last few alone may still become one
            pieces.append(whole[length : _certain(whole)])
            text, told = text[-LONGEST_CHARACTER:], 0
            length = _certain(_decoded(text, served))
    return pieces


def _certain(text: str) -> int:
    """How many characters of a text stay as they are, whatever follows."""
    return len(text) - text.endswith(UNFINISHED)


def _decoded(ids: list[int], served: Served) -> str:
    return served.model.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


class Places:
    """Where in the text of an answer each of its tokens begins.

    Args:
        start: the length of what is echoed before it.
    """

    def __init__(self, served: Served, start: int):
        self._transcript, self._at, self._served = Transcript(served.model.stream), start, served

    def place(self, token: Token) -> int:
        """Of the next token."""
        piece = "".join(event.text for event in self._transcript.feed(token) if isinstance(event, Text))
        at = self._at + _before(piece, *readable(self._served, [token.id]))
        self._at += len(piece)
        return at


def logprobs_of(tokens: Sequence[Known | Token], offsets: Sequence[int], served: Served) -> CompletionLogprobs:
    """Log-probabilities in OpenAI's older form; beside the likeliest, ``top_logprobs`` always hold the token itself."""
    return CompletionLogprobs(
        tokens=readable(served, [token.id for token in tokens]),
        token_logprobs=[token.logprob for token in tokens],
        top_logprobs=[_top(token, served) for token in tokens],
        text_offset=list(offsets),
    )


def _top(token: Known | Token, served: Served) -> dict[str, float] | None:
    """By text; of several ids that read alike (bytes of characters do), the likeliest."""
    if token.logprob is None:
        return None
    pairs = [pair for pair in (*token.top, (token.id, token.logprob)) if pair[0] < served.model.vocabulary.size]
    found: dict[str, float] = {}
    for name, (_, logprob) in zip(readable(served, [id_ for id_, _ in pairs]), pairs, strict=True):
        found.setdefault(name, logprob)
    return found
