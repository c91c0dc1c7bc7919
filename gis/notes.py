"""What a user should know about a result that is nonetheless usable."""

from typing import NamedTuple


class LamplightNote(NamedTuple):
    """One remark in both languages: something was mended, guessed or left out.

    zh, en : the same sentence in Chinese and English.
    """

    zh: str
    en: str
