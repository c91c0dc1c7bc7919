"""The demo city's record of how often its streets were patrolled, as an office would keep it."""

import numpy as np
import pandas as pd

from layers.demo_city.recipe import Recipe, SizeRecipe
from layers.demo_city.reports import SHIFT_HOURS, SHIFTS


def effort_layer(tracks: pd.DataFrame, size: SizeRecipe, recipe: Recipe) -> pd.DataFrame:
    """Return the layer ``patrol-effort``: passes of each segment by period and shift, where there were any.

    tracks : see layers.demo_city.reports.Found. A period is ``size.effort_months`` months, counted from the first.
    """
    begin, end = (pd.Timestamp(recipe.reports[name]) for name in ("begin", "end"))
    starts = pd.date_range(begin, end, freq=f"{size.effort_months}MS")
    period = np.searchsorted(starts.to_numpy(), tracks["month"].to_numpy(), side="right") - 1
    columns = {f"passes_{shift}": shift for shift in SHIFTS}
    summed = (
        tracks[["segment_id", *columns]].assign(period=period).groupby(["segment_id", "period"], as_index=False).sum()
    )
    long = summed.melt(["segment_id", "period"], list(columns), "shift", "passes")
    long = long[long["passes"] > 0]
    first = starts.date
    last = pd.DatetimeIndex([*(starts[1:] - pd.Timedelta(days=1)), end]).date
    hours = {name: f"{SHIFT_HOURS[of].start:02d}:00-{SHIFT_HOURS[of].stop:02d}:00" for name, of in columns.items()}
    at = long["period"].to_numpy()
    table = pd.DataFrame(
        {
            "segment_id": long["segment_id"].to_numpy(np.int64),
            "walked_from": first[at],
            "walked_until": last[at],
            "hours": long["shift"].map(hours).to_numpy(object),
            "passes": long["passes"].to_numpy(np.float64),
        }
    )
    return table.sort_values(["segment_id", "walked_from", "hours"], kind="stable", ignore_index=True)
