"""What fields of requests share: lists with a length, text of whole characters."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

HALF_CHARACTER = re.compile("[\ud800-\udfff]")


def items(most: int, least: int = 0) -> Any:
    """How long a list may be; it ends at its first wrong item, since each would make an error of its own."""
    return Field(max_length=most, min_length=least, fail_fast=True)


def whole_characters(value: Any) -> Any:
    """Text, or JSON with text: JSON can spell half of a character (a lone surrogate), which no tokenizer takes."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        raise ValueError("is nested too deep") from None
    if not text.isascii() and HALF_CHARACTER.search(text):
        raise ValueError("holds half of a character (a lone surrogate); write the text again as UTF-8")
    return value


String = Annotated[str, AfterValidator(whole_characters)]
Name = Annotated[String, StringConstraints(min_length=1, max_length=500)]
