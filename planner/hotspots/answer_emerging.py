"""How hotspots come and go, as tables."""

import numpy as np
import pandas as pd

from gis.errors import QuestionError
from planner.hotspots.emerging import emerging_classes
from planner.hotspots.frame import CHANNELS, Frame
from planner.hotspots.ground import ground_of, starts_of
from planner.hotspots.question import EmergingQuestion
from planner.hotspots.records import HotspotRecords, events_of
from planner.hotspots.relative_rates import any_effort, relative_rates
from planner.notes import Note
from planner.watch import Watch

MONTHS = {"month": 1, "quarter": 3}
PATROL = CHANNELS.index("patrol")
#: Fewer steps than this show no trend.
LEAST_STEPS = 6


def emerging_tables(
    records: HotspotRecords, question: EmergingQuestion, frame: Frame, watch: Watch
) -> tuple[dict[str, pd.DataFrame], list[Note]]:
    """Return "summary" (one row), "cells" (a row a cell) and "steps" (a row a cell and step with reports), and notes.

    Finds of patrols stand against the patrols of the same step, where any are on record, and others' reports are told
    only; a cell nobody looked at in a step has the step's mean there.
    Raises QuestionError where the days hold too few whole steps.
    """
    assert frame.first is not None and frame.last is not None
    starts = starts_of(np.datetime64(frame.first), np.datetime64(frame.last), MONTHS[question.step])
    if len(starts) <= LEAST_STEPS:
        raise QuestionError(
            f"至少需要 {LEAST_STEPS} 个完整的时间步（现有 {len(starts) - 1} 个）",
            f"at least {LEAST_STEPS} whole steps are needed, the days hold {len(starts) - 1}",
        )
    events, notes = events_of(records, frame)
    ground = ground_of(records, frame, events)
    counts = ground.cube(events, starts)
    finds = ground.cube(events.take(events.channel == PATROL), starts) if any_effort(records, starts) else counts
    values, said = relative_rates(records, ground, finds, starts)
    found = emerging_classes(values, *ground.links, level=question.level)
    names = found.names()
    hot = np.char.endswith(names, "_hot")
    kind = np.where(hot, np.char.replace(names, "_hot", ""), names)
    kind = np.where(np.char.endswith(names, "_cold"), np.char.add("cold ", np.char.replace(names, "_cold", "")), kind)
    column, row = ground.cells.column, ground.cells.row
    cells = pd.DataFrame({
        "column": column, "row": row, "reports": counts.sum(axis=1).astype(np.int64), "class": kind.astype(object),
        "trend_z": found.trend_z, "trend_p": found.trend_p, "last_z": found.z[:, -1],
    })  # fmt: skip
    days = starts[:-1].astype("datetime64[D]").astype(str).astype(object)
    shown = (counts > 0) | ((found.q <= question.level) & (found.z > 0))
    cell, step = np.nonzero(shown)
    steps = pd.DataFrame({
        "column": column[cell], "row": row[cell], "step": days[step], "reports": counts[cell, step].astype(np.int64),
        "z": found.z[cell, step], "hot": ((found.q <= question.level) & (found.z > 0))[cell, step],
    })  # fmt: skip
    last = (starts[-1:] - 1).astype("datetime64[D]").astype(str)[0]
    summary = pd.DataFrame({"steps": [len(days)], "step": [question.step], "cells": [len(cells)],
                            "reports": [int(counts.sum())], "first": [days[0]], "last": [last]})  # fmt: skip
    return {"summary": summary, "cells": cells, "steps": steps}, [*notes, *said]
