"""Numbers from 0 to 999 in words, in English and Spanish."""

from __future__ import annotations

from sensorium.families.numbers import in_words

_ES = (
    "cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez", "once", "doce", "trece",
    "catorce", "quince", "dieciséis", "diecisiete", "dieciocho", "diecinueve", "veinte", "veintiuno", "veintidós",
    "veintitrés", "veinticuatro", "veinticinco", "veintiséis", "veintisiete", "veintiocho", "veintinueve",
)  # fmt: skip
_ES_TENS = ("treinta", "cuarenta", "cincuenta", "sesenta", "setenta", "ochenta", "noventa")
_ES_HUNDREDS = (
    "ciento", "doscientos", "trescientos", "cuatrocientos", "quinientos", "seiscientos", "setecientos", "ochocientos",
    "novecientos",
)  # fmt: skip


def spelled(number: int, language: str) -> str:
    """``(42, "es")`` -> ``"cuarenta y dos"``; ``number`` is 0 to 999."""
    return _english(number) if language == "en" else _spanish(number)


def _english(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    if hundreds:
        return f"{in_words(hundreds)} hundred" + (f" and {in_words(rest)}" if rest else "")
    return in_words(rest)


def _spanish(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    if number == 100:
        return "cien"
    if hundreds:
        return _ES_HUNDREDS[hundreds - 1] + (f" {_spanish(rest)}" if rest else "")
    if rest < 30:
        return _ES[rest]
    return _ES_TENS[rest // 10 - 3] + (f" y {_ES[rest % 10]}" if rest % 10 else "")
