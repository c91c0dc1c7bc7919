"""What every question about hotspots has in common: which reports, in which cells."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from gis.errors import QuestionError
from gis.tiling import HEXAGON, Tiling

CHANNELS = ("patrol", "hotline", "public")
LEAST_CELL_M, MOST_CELL_M = 20.0, 20_000.0


@dataclass(frozen=True, slots=True)
class Frame:
    """Which reports a question is about, and the cells they are counted in; checks itself.

    first, last : days, both included; None for the usual ones. channels : of CHANNELS. within : codes or names of
    areas; the whole city if none. cells, cell_m : see ``gis.tiling.Tiling``.

    Raises QuestionError on anything else.
    """

    first: dt.date | None = None
    last: dt.date | None = None
    channels: tuple[str, ...] = CHANNELS
    within: tuple[str, ...] = ()
    cells: str = HEXAGON
    cell_m: float = 300.0

    def __post_init__(self) -> None:
        if not self.channels:
            raise QuestionError("请至少选一个报告渠道", "choose at least one channel of reports")
        if not set(self.channels) <= set(CHANNELS):
            raise QuestionError(f"未知渠道：{self.channels}", f"unknown channels {self.channels}: expected {CHANNELS}")
        if self.first is not None and self.last is not None and self.last < self.first:
            raise QuestionError("截止日期早于起始日期", "the last day lies before the first")
        if not LEAST_CELL_M <= self.cell_m <= MOST_CELL_M:
            limits = f"{LEAST_CELL_M:g}", f"{MOST_CELL_M:g}"
            raise QuestionError("网格边长应在 {} 到 {} 米之间".format(*limits),
                                "cells must be {} to {} m wide, got {:g}".format(*limits, self.cell_m))  # fmt: skip
        Tiling(self.cells, self.cell_m)  # refuses what is no tiling

    @property
    def tiling(self) -> Tiling:
        """The cells."""
        return Tiling(self.cells, self.cell_m)

    @property
    def parameters(self) -> Mapping[str, object]:
        """The frame as JSON values."""
        return {
            "first": None if self.first is None else self.first.isoformat(),
            "last": None if self.last is None else self.last.isoformat(),
            "channels": list(self.channels),
            "within": list(self.within),
            "cells": self.cells,
            "cell_m": self.cell_m,
        }
