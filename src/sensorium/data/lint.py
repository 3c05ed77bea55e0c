"""What is wrong with a file of conversations, in plain words, line by line."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any

from sensorium.data.conversations import Parsed, parse_line, read_lines
from sensorium.modalities import modality
from sensorium.source import Source
from sensorium.types import Conversation, InputError, Part

LONG_CHARACTERS = 40_000  # about 10,000 tokens of English


@dataclass(frozen=True)
class Finding:
    """One problem. Lines count from 1; line 0 is the file as a whole."""

    line: int
    sentence: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.sentence}" if self.line else self.sentence


@dataclass
class Report:
    """All that `lint` found.

    Args:
        problems: in the order of the lines.
        lines: lines that are not blank.
        good: lines without a problem.
    """

    problems: list[Finding] = field(default_factory=list)
    lines: int = 0
    good: int = 0

    def summary(self) -> str:
        bad = self.lines - self.good
        if not self.problems:
            return f"all {self.lines} conversations are good"
        return f"{self.good} of {self.lines} lines are good; {bad} with problems ({len(self.problems)} in all)"


def lint(path: str | PathLike[str], media: bool = True, long_characters: int = LONG_CHARACTERS) -> Report:
    """Check every line of a JSONL file and go on after a bad one.

    Args:
        media: open every medium once; without it, only look whether files are there.
        long_characters: texts of a conversation that together have more characters are told.

    Raises:
        InputError: the file itself is not there.
    """
    report, linter = Report(), _Linter(media, long_characters)
    for number, line in read_lines(path):
        sentences = linter.check(number, parse_line(line, Path(path).parent))
        report.problems += [Finding(number, sentence) for sentence in sentences]
        report.lines += 1
        report.good += not sentences
    if report.lines == 0:
        report.problems.append(Finding(0, f"{path} holds no conversations; write one JSON object a line"))
    return report


class _Linter:
    def __init__(self, media: bool, long_characters: int):
        self.media, self.long_characters = media, long_characters
        self._first_line: dict[bytes, int] = {}
        self._media: dict[tuple[str, Path], str | None] = {}

    def check(self, number: int, parsed: Parsed) -> list[str]:
        """All that is wrong with a line."""
        sentences = list(parsed.problems)
        if parsed.conversation is None:
            return sentences
        sentences += _turns(parsed.conversation)
        for m, message in enumerate(parsed.conversation.messages, start=1):
            for p, part in enumerate(message.parts, start=1):
                sentence = None if part.is_text else self._medium(part)
                if sentence:
                    sentences.append(f"message {m}, part {p}: {sentence}")
        characters = sum(len(message.text) for message in parsed.conversation.messages)
        if characters > self.long_characters:
            sentences.append(
                f"the conversation is very long ({characters} characters); most of it may be cut in training"
            )
        earlier = self._first_line.setdefault(_key(parsed.record["messages"]), number)
        if earlier != number:
            sentences.append(f"this is the same conversation as line {earlier}")
        return sentences

    def _medium(self, part: Part) -> str | None:
        if part.data is None:
            return None
        if not isinstance(Source.of(part.data).data, Path):
            return self._open(part)
        key = (part.modality, part.data)
        if key not in self._media:
            self._media[key] = self._file(part)
        return self._media[key]

    def _file(self, part: Part) -> str | None:
        if not os.path.isfile(part.data):  # unlike Path's own it has an answer to every name
            what = "is a folder" if os.path.isdir(part.data) else "does not exist"
            return f"the file {part.data} {what}"
        return self._open(part)

    def _open(self, part: Part) -> str | None:
        if not self.media:
            return None
        try:
            modality(part.modality).open(part.data)
        except InputError as error:
            return str(error)
        return None


def _turns(conversation: Conversation) -> list[str]:
    """What is wrong with who speaks when, and with messages that say nothing."""
    messages, sentences = conversation.messages, []
    for n, message in enumerate(messages, start=1):
        if not message.text.strip() and all(part.is_text for part in message.parts):
            sentences.append(f"message {n} is empty; write something or leave it out")
    roles = [message.role for message in messages]
    if "assistant" not in roles:
        sentences.append('there is no message of role "assistant", so there is nothing to learn')
    if "system" in roles[1:]:
        sentences.append(f'message {roles.index("system", 1) + 1} has role "system", which must come first')
    for n, (one, two) in enumerate(pairwise(roles), start=1):
        if one == two != "system":
            sentences.append(f"messages {n} and {n + 1} are both of role {one!r}; join them into one")
    return sentences


def _key(messages: Any) -> bytes:
    return hashlib.blake2b(json.dumps(messages, sort_keys=True).encode(), digest_size=16).digest()
