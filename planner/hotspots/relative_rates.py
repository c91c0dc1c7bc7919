"""Counts of periods against the effort of the same periods, so that more patrols are no more hotspot."""

import numpy as np
from numpy.typing import NDArray

from planner.hotspots.effort import passes_by
from planner.hotspots.ground import Ground
from planner.hotspots.records import HotspotRecords
from planner.notes import Note

Floats = NDArray[np.float64]
#: A cell's rate begins with what this share of its mean effort would find at the period's mean rate.
PRIOR_SHARE = 0.5


def cell_effort(records: HotspotRecords, ground: Ground, starts: NDArray[np.int64]) -> Floats:
    """Return (n, t) metres walked on patrol in each cell and period."""
    passes = passes_by(records.effort, ground.network.n_segments, starts, per_shift=False)
    return ground.per_cell(passes * ground.network.length_m[:, None])


def any_effort(records: HotspotRecords, starts: NDArray[np.int64]) -> bool:
    """Tell whether any patrol within the periods is on record."""
    effort = records.effort
    return bool(((effort.first_day < starts[-1]) & (effort.last_day >= starts[0]) & (effort.passes > 0)).any())


def relative_rates(
    records: HotspotRecords, ground: Ground, counts: Floats, starts: NDArray[np.int64]
) -> tuple[Floats, list[Note]]:
    """Return (n, t) finds per effort, 1 where a cell is as its period's mean or was not walked, and notes.

    counts : (n, t) finds of patrols; reports where no effort is on record. starts : (t + 1,) days since 1970. A gamma
    prior draws cells with little effort in a period towards the period's mean. Where no period has effort on record,
    counts stand for themselves, and a note says so.
    """
    walked = cell_effort(records, ground, starts)
    if not any_effort(records, starts):
        return counts, [Note("no-effort", "没有巡查量记录：按报告数计，未作巡查量校正",
                             "no patrol effort is on record: reports count as they are, uncorrected")]  # fmt: skip
    total, found = walked.sum(axis=0), counts.sum(axis=0)
    looked = total > 0
    rate = np.divide(found, total, out=np.zeros(len(total)), where=looked)
    expected = walked * rate
    prior = PRIOR_SHARE * expected.mean(axis=0, keepdims=True)
    values = np.divide(counts + prior, expected + prior, out=np.ones_like(counts), where=walked > 0)
    notes = []
    if not looked.all():
        notes.append(Note("unlooked-steps", f"{int((~looked).sum())} 个时间步没有巡查量记录，按平均计",
                          f"{int((~looked).sum())} steps have no effort on record and count as average"))  # fmt: skip
    return values, notes
