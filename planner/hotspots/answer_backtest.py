"""How good forecasts would have been, as tables."""

import numpy as np
import pandas as pd

from gis.errors import QuestionError
from planner.hotspots.backtest import OURS, backtest
from planner.hotspots.frame import Frame
from planner.hotspots.ground import ground_of
from planner.hotspots.months import month_text, months_of
from planner.hotspots.question import BacktestQuestion
from planner.hotspots.records import HotspotRecords, events_of
from planner.notes import Note
from planner.watch import Watch

#: Months that come before the first forecast, and the fewest a backtest can begin with.
BEFORE, LEAST_BEFORE = 12, 6


def backtest_tables(
    records: HotspotRecords, question: BacktestQuestion, frame: Frame, watch: Watch
) -> tuple[dict[str, pd.DataFrame], list[Note]]:
    """Return "summary" (a row a method), "months" (a row a month and method), "calibration" and "weights", and notes.

    Raises QuestionError where there are too few months.
    """
    events, notes = events_of(records, frame)
    months, said = months_of(records, frame, LEAST_BEFORE + 1)
    counted = np.flatnonzero(months.counted)
    first = min(BEFORE, len(counted) - 1) if question.origins is None else len(counted) - question.origins
    if first < LEAST_BEFORE:
        raise QuestionError(f"检验月数过多：最多 {len(counted) - LEAST_BEFORE} 个月",
                            f"too many months to forecast: at most {len(counted) - LEAST_BEFORE}")  # fmt: skip
    # which cells there are must not be known from what was yet to come
    before = events.take(events.day < months.starts[counted[first]])
    ground = ground_of(records, frame, before)
    counts = ground.cube(events, months.starts)[:, counted]
    cells = ground.cells
    x, y = cells.tiling.centre(cells.column, cells.row)
    found = backtest(
        counts, months.number[counted], x, y, *ground.links, first_origin=first, share=question.share,
        extent=cells.street_m, seed=question.seed, progress=lambda method: watch.tell(method),
    )  # fmt: skip
    table = found.months.assign(origin=[month_text(int(number)) for number in found.months["origin"]])
    beyond = f"{int((ground.cells.around(events.x, events.y) < 0).sum()):,}"
    zh = f"检验范围为 {len(cells):,} 个格网：有街面，或首个预测月之前有过报告；其外的 {beyond} 份报告未计入"
    en = f"{len(cells):,} cells are judged: with a street or an earlier report; {beyond} reports lie outside them"
    judged = Note("cells-judged", zh, en)
    calibration = found.calibration.rename(columns={"class_": "bin", "seen": "observed"}).assign(method=OURS)
    tables = {"summary": _wide(found.summary), "months": table, "calibration": calibration, "weights": found.weights}
    return {name: each.reset_index(drop=True) for name, each in tables.items()}, [judged, *notes, *said]


def _wide(summary: pd.DataFrame) -> pd.DataFrame:
    """Return a row a method: means, and for PAI and log score what ours is better by, with its interval and wins."""
    by = {measure: table.set_index("method") for measure, table in summary.groupby("measure")}
    wide = pd.DataFrame({measure: by[measure]["mean"] for measure in ("pai", "hit_rate", "pei", "log_score")})
    for measure, short in (("pai", "pai"), ("log_score", "log")):
        for name, column in (("difference", "ours_minus"), ("low", "low"), ("high", "high"), ("won", "won")):
            wide[f"{short}_{name}"] = by[measure][column]
    wide["months"] = by["pai"]["months"]
    wide["months_won"] = (wide["log_won"] * wide["months"]).round()
    return wide.loc[by["pai"].index].rename_axis("method").reset_index()
