"""The points of a city on its streets: those of the layers, as a plan of sites and then a scenario leave them."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.network import Positions
from layers.hours import HourOfWeek, OpeningHours
from layers.records import ALL_FUNCTIONS
from planner.coverage_inputs import HOURS_A_WEEK, HelpPoints, join, select
from planner.coverage_question import PLANNED_STATES
from planner.scenarios.overlay import Overlaid

#: Brings (k,) lon, lat onto the streets.
Snap: TypeAlias = Callable[[NDArray[np.float64], NDArray[np.float64]], Positions]


def listed(services: pd.DataFrame, stations: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of both layers, service points first; ``station`` tells them apart. A station does everything."""
    stand = stations.assign(functions=ALL_FUNCTIONS, build_state="existing", station=True)
    return pd.concat([services.assign(station=False), stand], ignore_index=True)


def with_sites(points: pd.DataFrame, sites: pd.DataFrame) -> Overlaid:
    """Return ``points`` as a plan leaves them: those it opens or improves stand last, those it closes are gone.

    sites : the table of a siting run.
    """
    opened = sites[sites["action"] != "close"]
    kept = np.flatnonzero(~points["code"].isin(list(sites["place"])).to_numpy(bool))
    new = opened[["code", "name", "functions", "hours", "capacity"]].assign(build_state="existing", station=False)
    stays = np.full(len(kept), np.nan)
    return Overlaid(
        pd.concat([points.iloc[kept], new], ignore_index=True),
        np.concatenate([kept, np.full(len(new), -1)]).astype(np.int64),
        *(np.concatenate([stays, opened[name].to_numpy(np.float64)]) for name in ("lon", "lat")),
    )


def laid(made: Overlaid, before: Positions, snap: Snap) -> Positions:
    """Return where the points of ``made`` stand: where they stood ``before``, or where they were put."""
    put = np.flatnonzero(~np.isnan(made.lon))
    row = made.source.copy()
    row[put] = len(before) + np.arange(len(put))
    return select(join([before, snap(made.lon[put], made.lat[put])]), row)


def help_points(points: pd.DataFrame, at: Positions, moment: HourOfWeek | None) -> HelpPoints:
    """Return rows as ``listed`` gives them as what coverage reads; moment : the hour asked about, None for any."""
    hours = points["hours"].fillna("").astype(str).str.strip().to_numpy(object)
    open_week, open_then = opening(hours, moment)
    return HelpPoints(
        code=points["code"].to_numpy(object),
        name=points["name"].to_numpy(object),
        functions=function_sets(points["functions"]),
        capacity=points["capacity"].to_numpy(np.float64),
        positions=at,
        station=points["station"].eq(True).to_numpy(bool),  # what a scenario adds says nothing, and is none
        planned=points["build_state"].isin(list(PLANNED_STATES)).to_numpy(bool),
        hours_known=hours != "",
        open_week=open_week,
        open_then=open_then,
    )


def opening(
    hours: NDArray[np.object_], moment: HourOfWeek | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:  # fmt: skip
    """Return (k, 168) open on the stroke of each hour and (k,) open at ``moment``, always True without one.

    hours : (k,) as ``OpeningHours.parse`` reads them, "" where unknown: then never open.
    """
    read = [OpeningHours.parse(text) if text else None for text in hours]
    week = [np.zeros(HOURS_A_WEEK, bool) if of is None else of.week_table() for of in read]
    then = [moment is None or (of is not None and of.open_at(moment)) for of in read]
    return np.array(week, bool).reshape(len(hours), HOURS_A_WEEK), np.array(then, bool)


def function_sets(listed: pd.Series) -> NDArray[np.object_]:
    """Return comma lists as (k,) frozensets."""
    return np.array([None, *(frozenset(str(f).split(",")) for f in listed)], object)[1:]
