"""Which answer each question about hotspots gets, and how many days it is usually about."""

from collections.abc import Callable
from typing import Any, TypeAlias

import pandas as pd

from planner.hotspots.answer_backtest import backtest_tables
from planner.hotspots.answer_emerging import emerging_tables
from planner.hotspots.answer_forecast import forecast_tables
from planner.hotspots.answer_map import map_tables
from planner.hotspots.answer_scan import scan_tables
from planner.hotspots.frame import Frame
from planner.hotspots.question import (
    BacktestQuestion,
    ClusterQuestion,
    EmergingQuestion,
    ForecastQuestion,
    MapQuestion,
)
from planner.hotspots.records import HotspotRecords
from planner.notes import Note
from planner.watch import Watch

Answer: TypeAlias = Callable[[HotspotRecords, Any, Frame, Watch], tuple[dict[str, pd.DataFrame], list[Note]]]
YEAR, TWO_YEARS = 365, 731

#: kind of question -> (usual days up to the last report, None for all; what answers it).
ANSWERS: dict[str, tuple[int | None, Answer]] = {
    MapQuestion.kind: (TWO_YEARS, map_tables),
    ClusterQuestion.kind: (YEAR, scan_tables),
    BacktestQuestion.kind: (None, backtest_tables),
    ForecastQuestion.kind: (None, forecast_tables),
    EmergingQuestion.kind: (TWO_YEARS, emerging_tables),
}
