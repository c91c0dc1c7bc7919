"""What is wrong with a filled-in form, field by field, all of it at once."""

import unicodedata
from collections.abc import Mapping

from gis.errors import RecordError

#: Marks that make writing run the other way (Unicode 15, UAX 9): they can make a text look like another one.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class FaultsError(RecordError):
    """Something filled in with fields that cannot stand. faults : field name -> (zh, en), in the form's order."""

    def __init__(self, faults: Mapping[str, tuple[str, str]]) -> None:
        said = dict.fromkeys(faults.values())  # each once, however many fields it holds of
        super().__init__("；".join(zh for zh, _ in said), "; ".join(en for _, en in said))
        self.faults = dict(faults)


def refuse(faults: Mapping[str, tuple[str, str] | None]) -> None:
    """Raise FaultsError with the faults there are, field name -> (zh, en) or None; do nothing where there are none."""
    found = {name: fault for name, fault in faults.items() if fault is not None}
    if found:
        raise FaultsError(found)


def text_fault(value: str, most: int, *, least: int = 0, lines: bool = False) -> tuple[str, str] | None:
    """Return what is wrong with a text of ``least`` to ``most`` characters; None where nothing is.

    lines : whether it may have several lines. Control characters may not stand, nor what turns the writing round;
    invisible characters that come along with pasted text may.
    """
    if len(value) > most:
        return f"最多 {most} 个字", f"at most {most} characters"
    if len(value.strip()) < least:
        return ("必填", "required") if least == 1 else (f"至少 {least} 个字", f"at least {least} characters")
    allowed = "\n\r\t" if lines else ""
    if any(c in _TURNING or (unicodedata.category(c) in {"Cc", "Cs"} and c not in allowed) for c in value):
        return "含有控制字符", "contains control characters"
    return None
