"""Print a stream in colour: one colour per kind of token, bold where the loss counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensorium.stream.render import Rendered, Stream

if TYPE_CHECKING:
    from rich.text import Text

COLOURS = ("white", "cyan", "magenta", "yellow", "green", "blue", "red")


def show(rendered: Rendered, stream: Stream, console: Any = None) -> Text:
    """Print the ids of ``rendered`` on a rich console and return the styled text.

    Tokens are coloured by kind (text, then one colour per codec); those with loss are bold and underlined;
    the numbers behind the legend count tokens and tokens with loss.
    """
    from rich.console import Console
    from rich.text import Text

    kinds = stream.vocabulary.kind_of(rendered.ids)
    text = Text()
    tokens = stream.tokenizer.convert_ids_to_tokens(rendered.ids.tolist())
    for token, kind, learn in zip(tokens, kinds, rendered.mask, strict=True):
        colour = COLOURS[kind % len(COLOURS)]
        text.append(_readable(token, stream), style=f"bold underline {colour}" if learn else f"dim {colour}")
        text.append(" ")
    text.append("\n")
    for kind, name in enumerate(stream.vocabulary.kinds):
        total = int((kinds == kind).sum())
        if total:
            learned = int(((kinds == kind) & rendered.mask).sum())
            text.append(f"{name} {total} ({learned} with loss)  ", style=COLOURS[kind % len(COLOURS)])
    (console or Console()).print(text)
    return text


def _readable(token: str, stream: Stream) -> str:
    if token.startswith("<|"):
        return token
    return stream.tokenizer.convert_tokens_to_string([token]).replace("\n", "↵") or token
