"""What a machine may ask with: each parameter is declared once, checked by hand, and described from the same line."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from flask import request
from werkzeug.datastructures import MultiDict

from gis.errors import LamplightError

MOST_CHARACTERS = 400
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)


def sent_json() -> Any:
    """Return the JSON that was sent; None for what is none, or is nested deeper than anybody would."""
    try:
        return request.get_json(silent=True)
    except RecursionError:
        return None


@dataclass(frozen=True, slots=True)
class Parameter:
    """One key of a query.

    kind : "number", "integer" or "text". words : all that a text may be; none: any text. default : where it is absent.
    """

    name: str
    kind: str
    means: str
    words: tuple[str, ...] = ()
    lowest: float | None = None
    highest: float | None = None
    default: Any = None
    required: bool = False

    def value(self, text: str) -> Any:
        """Return what ``text`` says; raises ValueError on anything else."""
        if len(text) > MOST_CHARACTERS or "\0" in text:
            raise ValueError(text)
        if self.kind == "text":
            if self.words and text not in self.words:
                raise ValueError(text)
            return text
        if not (_NUMBER if self.kind == "number" else _INTEGER).fullmatch(text):
            raise ValueError(text)
        number = float(text) if self.kind == "number" else int(text)
        if not isfinite(number) or not self._low <= number <= self._high:
            raise ValueError(text)
        return number

    @property
    def _low(self) -> float:
        return -float("inf") if self.lowest is None else self.lowest

    @property
    def _high(self) -> float:
        return float("inf") if self.highest is None else self.highest

    @property
    def expected(self) -> str:
        """What it must be, for a message in either language."""
        if self.words:
            return " | ".join(self.words)
        if self.lowest is None and self.highest is None:
            return self.kind
        return f"{self.kind} {self._low:g}..{self._high:g}"

    def schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        found: dict[str, Any] = {"type": "string" if self.kind == "text" else self.kind}
        limits = {"minimum": self.lowest, "maximum": self.highest, "default": self.default}
        found |= {name: limit for name, limit in limits.items() if limit is not None}
        if self.words:
            found["enum"] = list(self.words)
        elif self.kind == "text":
            found["maxLength"] = MOST_CHARACTERS
        return found


def read(
    parameters: Sequence[Parameter], query: MultiDict[str, str], refuse: type[LamplightError]
) -> dict[str, Any]:  # fmt: skip
    """Return the value of each parameter; raises ``refuse`` on one that is unknown, repeated, missing or wrong."""
    values = {}
    for parameter in parameters:
        given = query.getlist(parameter.name)
        if not given:
            if parameter.required:
                raise refuse(f"缺少参数 {parameter.name}", f"the parameter {parameter.name} is missing")
            values[parameter.name] = parameter.default
            continue
        if len(given) > 1:
            raise refuse(f"参数 {parameter.name} 重复", f"the parameter {parameter.name} is given more than once")
        try:
            values[parameter.name] = parameter.value(given[0])
        except ValueError:
            raise wrong(parameter, given[0], refuse) from None
    if len(values.keys() & query.keys()) < len(query):
        unknown = shown(next(name for name in query if name not in values))
        raise refuse(f"未知参数：{unknown}", f"unknown parameter {unknown}")
    return values


def wrong(parameter: Parameter, text: str, refuse: type[LamplightError]) -> LamplightError:
    """Return the refusal of a parameter's text."""
    name, expected, got = parameter.name, parameter.expected, shown(text)
    return refuse(f"参数 {name} 应为 {expected}，实为 {got}", f"the parameter {name} must be {expected}, got {got}")


def shown(text: str) -> str:
    """Return what arrived, short and without what no screen shows."""
    printable = "".join(mark if mark.isprintable() else "?" for mark in text[:40])
    return f"“{printable}”"


def described(parameter: Parameter) -> Mapping[str, Any]:
    """Return the parameter as OpenAPI describes it."""
    return {
        "name": parameter.name, "in": "query", "required": parameter.required, "description": parameter.means,
        "schema": parameter.schema(),
    }  # fmt: skip
