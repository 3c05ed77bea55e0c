"""Pieces of words, and the pairs of them that are merged: byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909).

Pieces stand as they do in text: one that begins a word begins with a space, one within a word does not. They are
learned from texts, or taken from the tokenizer of an LLM, which then finds its own tokens in them.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from sensorium.checked import Range
from sensorium.types import InputError

FIRST = 0xF0000
"""Added to the first letter of a word for `tokenizers`, whose pieces have no space: a plane of private use."""
SPACE, BLOCK = " ", "\N{LOWER ONE EIGHTH BLOCK}"
"""A space, and how SentencePiece writes it."""
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""Where bytes are no sign."""
Piece = Annotated[str, Range(1, 64)]
Merges = Annotated[list[tuple[Piece, Piece]], Range(0, 2**16)]


def pieces_of(signs: str, merges: Merges) -> list[str]:
    """Every piece once: signs that begin a word, signs within one, then those that are merged.

    Raises:
        InputError: a pair has a piece that does not come before it.
    """
    letters = [sign for sign in signs if not sign.isspace()]
    found = dict.fromkeys([*(SPACE + sign for sign in letters), *letters])
    for left, right in merges:
        if left not in found or right not in found or right.startswith(SPACE):
            raise InputError(
                f"the pieces {left!r} and {right!r} cannot be merged: both must be known, the second within"
            )
        found[left + right] = None
    return list(found)


class Cutter:
    """Words to the numbers of their pieces.

    Args:
        pieces: as `pieces_of` gives them.
        merges: in the order in which they are tried.
    """

    def __init__(self, pieces: Sequence[str], merges: Merges) -> None:
        from tokenizers import Tokenizer, models

        numbers = {_marked(piece): code for code, piece in enumerate(pieces)}
        pairs = [(_marked(left), _marked(right)) for left, right in merges]
        self._tokenizer = _by_words(Tokenizer(models.BPE(numbers, pairs)))

    def cut(self, text: str) -> list[int]:
        """The numbers for a text in the signs of the pieces."""
        return self._tokenizer.encode(_marked_text(text.split())).ids


def learn_merges(texts: Iterable[str], signs: str, codes: int) -> Merges:
    """Pairs that come often, the most frequent first, until there are ``codes`` pieces with those of one sign.

    Args:
        texts: in ``signs``.
    """
    from tokenizers import Tokenizer, models, trainers

    found = _by_words(Tokenizer(models.BPE()))
    trainer = trainers.BpeTrainer(vocab_size=codes, min_frequency=2, show_progress=False)
    found.train_from_iterator((_marked_text(text.split()) for text in texts), trainer)
    merges = [(_unmarked(left), _unmarked(right)) for left, right in json.loads(found.to_str())["model"]["merges"]]
    return merges[: max(0, codes - len(pieces_of(signs, [])))]


def merges_of(tokenizer: Any, texts: Iterable[str], signs: str, codes: int) -> Merges:
    """Pairs of an LLM's tokenizer, in its order, that make the pieces which texts need most, and then its first ones.

    Args:
        tokenizer: of transformers, a fast one that encodes by pairs of bytes or of signs.
        texts: in ``signs``.
        codes: most pieces, those of one sign included.

    Raises:
        InputError: the tokenizer has no pairs.
    """
    merges = _in_signs_alone(_pairs(tokenizer), signs)
    pieces = pieces_of(signs, merges)
    cutter, used = Cutter(pieces, merges), Counter[int]()
    for text in texts:
        used.update(cutter.cut(text))
    parts = {left + right: (left, right) for left, right in merges}
    kept = set(pieces_of(signs, []))
    wanted = [*(pieces[code] for code, _ in used.most_common()), *pieces]
    for piece in wanted:
        needed = _with_parts(piece, parts) - kept
        if len(kept) + len(needed) <= codes:
            kept |= needed
    return [(left, right) for left, right in merges if left + right in kept]


def _pairs(tokenizer: Any) -> list[tuple[str, str]]:
    """A tokenizer's pairs as text; those with a part of a sign are left out."""
    told: Mapping[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str()) if tokenizer.is_fast else {}
    model = told.get("model", {})
    if not model.get("merges"):
        raise InputError("this tokenizer has no pairs of pieces; take one that encodes by byte pairs")
    pairs = [one.split(" ") if isinstance(one, str) else one for one in model["merges"]]
    if "ByteLevel" not in json.dumps([told.get("pre_tokenizer"), told.get("decoder")]):
        return [(left.replace(BLOCK, SPACE), right.replace(BLOCK, SPACE)) for left, right in pairs]
    found = [(said_in(left), said_in(right)) for left, right in pairs]
    return [(left, right) for left, right in found if left and right]


def said_in(piece: str) -> str:
    """What a piece of a tokenizer of bytes says; "" where it is no whole signs."""
    from tokenizers import decoders

    text = decoders.ByteLevel().decode([piece])
    return "" if REPLACEMENT in text else text


def _in_signs_alone(pairs: Iterable[tuple[str, str]], signs: str) -> Merges:
    """Those pairs that are in these signs, with spaces at the beginning of pieces only and never alone.

    Where a tokenizer puts a space before a piece that is whole, the piece is merged anew behind its first sign.
    """
    made: dict[str, tuple[str, str]] = dict.fromkeys(pieces_of(signs, []), ("", ""))

    def begin(piece: str) -> None:
        if SPACE + piece not in made:
            left, right = made[piece]
            begin(left)
            made[SPACE + left + right] = (SPACE + left, right)

    for left, right in pairs:
        if right not in made or right.startswith(SPACE):
            continue
        if left == SPACE:
            begin(right)
        elif left in made:
            made.setdefault(left + right, (left, right))
    return [pair for pair in made.values() if pair[0]]


def _with_parts(piece: str, parts: Mapping[str, tuple[str, str]]) -> set[str]:
    """A piece and all that it is merged from."""
    left, right = parts.get(piece, ("", ""))
    return {piece} | (_with_parts(left, parts) | _with_parts(right, parts) if left else set())


def in_signs(text: str, signs: str) -> str:
    """A text in these signs alone: small letters and letters without their marks where need be, blanks for the rest."""
    return "".join(
        next((one for one in _ways(sign) if one in signs), SPACE) for sign in unicodedata.normalize("NFC", text)
    )


def _ways(sign: str) -> tuple[str, str, str]:
    """A sign, and what may stand for it."""
    small = sign.lower()
    return sign, small, unicodedata.normalize("NFD", small)[0]


def _by_words(tokenizer: Any) -> Any:
    from tokenizers import pre_tokenizers

    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def _marked_text(words: Iterable[str]) -> str:
    return SPACE.join(_marked(SPACE + word) for word in words)


def _marked(piece: str) -> str:
    """As `tokenizers` has it."""
    return chr(FIRST + ord(piece[1])) + piece[2:] if piece.startswith(SPACE) else piece


def _unmarked(piece: str) -> str:
    return f"{SPACE}{chr(ord(piece[0]) - FIRST)}{piece[1:]}" if ord(piece[0]) >= FIRST else piece
