"""What a result must say beside its numbers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """One remark a reader of a result needs: a stable code, and the same sentence in Chinese and English."""

    code: str
    zh: str
    en: str
