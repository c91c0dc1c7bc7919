"""Remarks on a result that is usable nonetheless, in Chinese and English."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LamplightNote:
    """One remark a user should see: something was mended, guessed or left out.

    zh, en : the same sentence in both languages.
    """

    zh: str
    en: str


def counted(count: int, one: str, many: str) -> str:
    """Write a count before the English words that agree with it: 1 "point is", 2 "points are"."""
    return f"{count:,} {one if count == 1 else many}"
