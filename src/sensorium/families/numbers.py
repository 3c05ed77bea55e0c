"""Numbers as words, at which rows can start.

In digits most numbers would start alike: a tokenizer may spell each digit apart, and the mean over "4" and "2" is that
over "2" and "4".
"""

from __future__ import annotations

SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def in_words(number: float) -> str:
    """``42`` -> ``"forty two"``; in digits what is not whole, below 0 or above 99."""
    if number != int(number) or not 0 <= number < 100:
        return f"{number:.4g}"
    tens, ones = divmod(int(number), 10)
    if number < 20:
        return SMALL[int(number)]
    return TENS[tens - 2] + (f" {SMALL[ones]}" if ones else "")
