"""A chat in the terminal: what is typed becomes questions to a model, what it makes becomes files."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.style import Style
from rich.text import Text

from sensorium.modalities import modality, modality_names, named_by
from sensorium.types import InputError, Message, Part, Reply, Signal, as_message

HELP = """\
  /KIND PATH [PATH ...] [QUESTION]    show media of a kind and ask about them; later questions are about the same media
  /make KIND WORDS                    let the model make one of a kind; it is saved and its path told
  /new                                forget what was said and shown
  /help                               this list
  /quit                               leave (so does Ctrl-D)
Anything else is said to the model as it is."""
ASK = "What is this?"
PREVIEW_PX = 32
TRIES = 4
"""For another than those that were made of the same words."""


class Terminal:
    """One conversation with a model.

    Args:
        model: has ``chat(content, want, history=..., **sampling) -> Reply``.
        name: how the model is called in greetings.
        out: folder where media that the model writes are saved.
        sampling: keyword arguments passed on to ``chat``.
        console: where answers go; stdout by default.
    """

    def __init__(self, model: Any, *, name: str, out: Path, sampling: dict[str, Any], console: Console | None = None):
        self.model, self.name, self.out, self.sampling = model, name, out, sampling
        self.console = console or Console(soft_wrap=True, highlight=False)
        self.history: list[Message] = []
        self.made: dict[tuple[str, str], list[tuple[int, ...]]] = {}  # ids of what was made of words of a kind

    def run(self) -> None:
        """Read lines until /quit or the end of input; bad input is told and the chat goes on."""
        _enable_line_editing()
        interactive = sys.stdin.isatty()
        if interactive:
            self.console.print(f"Chat with {self.name}. {self._kinds()}    (/help lists more, /quit leaves)")
        while True:
            try:
                line = input("> " if interactive else "").strip()
            except EOFError:
                return
            if line in ("/quit", "/exit"):
                return
            try:
                self.answer(line)
            except InputError as error:
                self.console.print(Text(str(error), style="red"))
            except KeyboardInterrupt:
                self.console.print("stopped")

    def answer(self, line: str) -> None:
        """Do what one typed line says.

        Raises:
            InputError: an unknown command, a medium that cannot be read, or something the model cannot do.
        """
        command, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        if not command:
            return
        if command == "/help":
            self.console.print(f"{HELP}\n{self._kinds()}")
        elif command == "/new":
            self.history = []
        elif command == "/make":
            self._make(*self._kind_and_words(rest))
        elif (kind := self._asked_to_make(command)) is not None:
            self._make(kind, rest)
        elif command[1:] in modality_names() and command.startswith("/"):
            self._look(command[1:], rest)
        elif (named := named_by(line)) is not None and os.path.isfile(line.strip()):
            raise InputError(f"the name of a file alone says nothing; show the file: /{named} {line.strip()}")
        elif command.startswith("/"):
            raise InputError(f"there is no command {command}; /help lists what can be typed")
        else:
            self._ask(as_message("user", line.strip()))

    def _kinds(self) -> str:
        """What the model reads and writes, in a sentence."""
        layouts = self.model.vocabulary.layouts
        reads = sorted({one.facts.modality for one in layouts if one.facts.use != "write"})
        writes = sorted({one.facts.modality for one in layouts if one.facts.use != "read"})
        return f"It reads {', '.join(reads) or 'text only'}; it writes {', '.join(writes) or 'text only'}."

    def _kind_and_words(self, rest: str) -> tuple[str, str]:
        """The kind and the words of ``/make``; a model that writes one kind only needs no kind."""
        first, _, words = rest.partition(" ")
        writes = {layout.facts.modality for layout in self.model.vocabulary.writers()}
        if first in writes:
            return first, words.strip()
        if len(writes) == 1 and first not in modality_names():
            return next(iter(writes)), rest
        raise InputError(
            f"say what kind to make: /make KIND WORDS; this model writes {', '.join(sorted(writes)) or 'text'}"
        )

    def _asked_to_make(self, command: str) -> str | None:
        """The kind whose own word for making it was typed, e.g. "draw"."""
        for layout in self.model.vocabulary.writers():
            verb = request_to_make(layout.facts.modality, "").partition(" ")[0].rstrip(".:")
            if command.lower().removeprefix("/") == verb.lower():
                return layout.facts.modality
        return None

    def _make(self, kind: str, words: str) -> None:
        """What is made stands alone: earlier turns do not change it. The same words again are another attempt."""
        if not words:
            raise InputError(f"say what to make, for example: /make {kind} a red heart")
        with self._working("making"):
            reply = self._attempt(kind, words)
        self._print(reply)

    def _attempt(self, kind: str, words: str) -> Reply:
        """One more of the same words; a copy of an earlier one is made anew, a few times."""
        made = self.made.setdefault((kind, words), [])
        for _ in range(TRIES if made else 1):
            request = [request_to_make(kind, words)]
            reply = self.model.chat(request, want=kind, attempt=len(made), **self.sampling)
            made.append(reply.ids)
            if reply.ids not in made[:-1]:
                break
        return reply

    def _look(self, kind: str, rest: str) -> None:
        """New media start a new conversation; the questions that follow are about them."""
        sources, question = _sources(rest)
        if not sources:
            raise InputError(
                f"say which file to show, for example: /{kind} FILE{modality(kind).extensions[0]} what is this?"
            )
        signals = [modality(kind).open(source) for source in sources]
        self._preview(kind, signals)
        self.history = []
        self._ask(as_message("user", [*(Part(kind, signal) for signal in signals), question or ASK]))

    def _ask(self, message: Message) -> None:
        with self._working("thinking"):
            reply = self.model.chat(list(message.parts), history=tuple(self.history), **self.sampling)
        self.history += [message, Message("assistant", reply.parts)]
        self._print(reply)

    def _working(self, what: str) -> Any:
        return Console(stderr=True).status(what)

    def _print(self, reply: Reply) -> None:
        if reply.thought:
            self.console.print(Text(reply.thought, style="dim"))
        for part in reply.parts:
            if part.is_text:
                self.console.print(Text(part.data.strip()))
            else:
                path = self._next_path(part.modality)
                part.save(path)
                self._preview(part.modality, [part.data])
                self.console.print(Text(f"saved {path}"))
        if not any(part.data for part in reply.parts if part.is_text) and all(p.is_text for p in reply.parts):
            self.console.print("(the model had nothing to say)")
        if reply.finish == "length":
            self.console.print("(the answer reached its length limit)")

    def _next_path(self, kind: str) -> Path:
        suffix = modality(kind).extensions[0]
        number = 1
        while (path := self.out / f"made-{number}{suffix}").exists():
            number += 1
        return path

    def _preview(self, kind: str, signals: list[Signal]) -> None:
        if self.console.is_terminal:
            for signal in signals:
                self.console.print(blocks(modality(kind).preview(signal, PREVIEW_PX)))


def request_to_make(kind: str, words: str) -> str:
    """How one asks for a medium of a kind, in its modality's own words where it has some."""
    form = modality(kind).words.get("en", {}).get("make.request", "Make {kind}: {words}.")
    return form.format(words=words.rstrip("."), kind=kind)


def blocks(rgb_HW3: np.ndarray) -> Text:
    """A picture as coloured half blocks, two pixels above each other in one character."""
    height = rgb_HW3.shape[0] // 2 * 2
    text = Text()
    for upper, lower in zip(rgb_HW3[0:height:2], rgb_HW3[1:height:2], strict=True):
        for top, bottom in zip(upper, lower, strict=True):
            text.append("▀", Style.parse(f"{_hex(top)} on {_hex(bottom)}"))
        text.append("\n")
    return text


def _hex(rgb: np.ndarray) -> str:
    return "#{:02x}{:02x}{:02x}".format(*(int(value) for value in rgb))


def _sources(rest: str) -> tuple[list[str], str]:
    """Paths at the start of a line (the first word always, further words when such files exist), and the rest."""
    home = os.path.expanduser  # unlike Path's own, this and isfile have an answer to every name
    if rest and os.path.isfile(home(rest)):  # a path with spaces and no quotes
        return [home(rest)], ""
    try:
        words = shlex.split(rest)
    except ValueError:  # an apostrophe in the question
        words = rest.split()
    words = [word for word in words if word]
    count = 1
    while count < len(words) and os.path.isfile(home(words[count])):
        count += 1
    return [home(word) for word in words[:count]], " ".join(words[count:])


def _enable_line_editing() -> None:
    with suppress(ImportError):
        import readline  # noqa: F401 - arrow keys and history come with the import
