"""Who patrols on a night: grid workers of the roster, alone or in pairs, with their shifts and stations."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.modes import MODES
from gis.network import Positions
from planner.coverage_inputs import HelpPoints, select
from planner.notes import Note
from planner.patrol.question import parse_hours

Floats = NDArray[np.float64]
Objects = NDArray[np.object_]
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
#: A break begins with the first service that ends after this part of the shift.
BREAK_AFTER = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class CrewList:
    """r crews of one night.

    id : (r,) "C01", ...; persons : (r,) names; role, mode : (r,) words. home : (r,) code of the grid cell or area.
    station : (r,) position in the city's points where the shift begins and ends; x, y : (r,) its metres.
    from_s, until_s, longest_s, break_s, break_from_s : (r,) as ``planner.patrol.problem.Crews``, in seconds since the
    evening's midnight. certificates : (r,) frozensets, of all members together.
    """

    id: Objects
    persons: Objects
    role: Objects
    mode: Objects
    home: Objects
    station: NDArray[np.int64]
    x: Floats
    y: Floats
    from_s: Floats
    until_s: Floats
    longest_s: Floats
    break_s: Floats
    break_from_s: Floats
    certificates: Objects

    def __len__(self) -> int:
        return len(self.id)

    def take(self, kept: NDArray[np.bool_] | NDArray[np.int64]) -> "CrewList":
        """Return the ``kept`` crews in order."""
        return CrewList(*(getattr(self, field.name)[kept] for field in fields(self)))


_NUMBERS = ("x", "y", "from_s", "until_s", "longest_s", "break_s", "break_from_s")
_KINDS: dict[str, type] = {"station": np.int64, **dict.fromkeys(_NUMBERS, np.float64)}


def crews_of(
    roster: pd.DataFrame,
    date: dt.date,
    hours: tuple[int, int],
    points: HelpPoints,
    centre: Mapping[str, tuple[float, float]],
    at: tuple[Floats, Floats],
) -> tuple[CrewList, list[Note]]:
    """Return the crews on duty on ``date`` and what a reader must know of them.

    roster : as the layer. hours : of the patrol; who is on duty at none of them stays out, and they are the shift of
    those who have none. centre : code of an area -> metres of its middle.
    at : metres of each point, x and y. Grid workers in office who have not the day off; those of one ``pair`` walk
    together, as long as all of them may, and never alone. A worker without a station begins at the point nearest to
    the home.
    """
    day = pd.Timestamp(date)
    begins, ends = pd.to_datetime(roster["from_date"]), pd.to_datetime(roster["until_date"])
    here = (begins.isna() | (begins <= day)) & (ends.isna() | (ends >= day)) & (roster["role"] == "grid_worker")
    off = roster["days_off"].fillna("").map(lambda days: WEEKDAYS[date.weekday()] in str(days).split(","))
    working = roster[here & ~off].reset_index(drop=True)
    # a pair's word may be used again in another subdistrict
    word = working["pair"].fillna("").astype(str)
    together = np.where(
        word == "", "row " + working.index.astype(str), "pair " + word + " " + working["area_code"].astype(str).str[:9]
    )
    numbered = list(working.groupby(together, sort=False).groups.values())
    station, notes = _stations(working, points, centre, at)
    alone = [rows for rows in numbered if len(rows) == 1 and word[rows[0]] != ""]
    if alone:
        zh, en = f"{len(alone)} 名网格员的搭档不在岗，未排", f"{len(alone)} grid workers whose partner is off stay in"
        notes.append(Note("partner-off", zh, en))
    numbered = [rows for rows in numbered if len(rows) > 1 or word[rows[0]] == ""]
    crews = [_crew(working.loc[rows], [int(station[i]) for i in rows], hours) for rows in numbered]
    on_duty = [
        c for c in crews if min(c["until_s"], hours[1]) > max(c["from_s"], hours[0]) or c["until_s"] <= c["from_s"]
    ]
    able = [c for c in on_duty if c["until_s"] > c["from_s"] and c["station"] >= 0]
    if len(able) < len(on_duty):
        n = len(on_duty) - len(able)
        en = f"{n} crews have no common shift or no station on the streets, and were left out"
        notes.append(Note("crews-unable", f"{n} 组没有共同班次或可到的驻点，未排", en))
    width = max(2, len(str(len(able))))
    table = pd.DataFrame(able, columns=[field.name for field in fields(CrewList)])
    table["id"] = [f"C{i + 1:0{width}d}" for i in range(len(able))]
    of = table["station"].to_numpy(np.int64)
    table["x"], table["y"] = at[0][of], at[1][of]
    return CrewList(*(table[name].to_numpy(_KINDS.get(name, object)) for name in table.columns)), notes


def _crew(members: pd.DataFrame, stations: list[int], hours: tuple[int, int]) -> dict[str, Any]:
    """Return one crew: what all members may do together."""
    shifts = [parse_hours(text) if text else hours for text in members["shift"].fillna("")]
    start, end = max(s for s, _ in shifts), min(e for _, e in shifts)
    most = members["max_min"].astype(float).min()
    rest = members["break_min"].astype(float).max()
    modes = list(members["mode"].fillna("walk").replace("", "walk"))
    held = frozenset(c for text in members["certificates"].fillna("") for c in str(text).split(",") if c)
    return {
        "persons": "、".join(members["person"].astype(str)),
        "role": "grid_worker",
        "mode": min(modes, key=MODES.index),  # who walks together goes as the slowest
        "home": str(members["area_code"].iloc[0] or ""),
        "station": stations[0],
        "from_s": float(start),
        "until_s": float(end),
        "longest_s": float(min(end - start, np.inf if np.isnan(most) else most * 60.0)),
        "break_s": 0.0 if np.isnan(rest) else rest * 60.0,
        "break_from_s": start + BREAK_AFTER * (end - start),
        "certificates": held,
    }


def _stations(
    working: pd.DataFrame, points: HelpPoints, centre: Mapping[str, tuple[float, float]], at: tuple[Floats, Floats]
) -> tuple[NDArray[np.int64], list[Note]]:
    """Return (w,) the point each worker begins at: the one recorded, else the nearest to the home; -1 for none."""
    notes = []
    usable = (points.positions.segment >= 0) & ~points.planned
    by_code = {str(code): i for i, code in enumerate(points.code) if usable[i]}
    named = [str(code) for code in working["station"].fillna("")]
    station = np.array([by_code.get(code, -1) for code in named], np.int64)
    unknown = sum(code != "" and i < 0 for code, i in zip(named, station, strict=True))
    if unknown:
        zh = f"{unknown} 名网格员的驻点不在现有点位之中，改由就近点位出发"
        en = f"{unknown} grid workers name a station that is not there: the nearest point stands in"
        notes.append(Note("station-unknown", zh, en))
    open_ = np.flatnonzero(usable)
    for i in np.flatnonzero(station < 0):
        middle = centre.get(str(working["area_code"].iloc[i])) or centre.get(str(working["area_code"].iloc[i])[:12])
        if middle is not None and len(open_):
            station[i] = open_[np.argmin(np.hypot(at[0][open_] - middle[0], at[1][open_] - middle[1]))]
    return station, notes


def station_positions(points: HelpPoints, crews: CrewList) -> Positions:
    """Return (r,) where each crew's shift begins and ends."""
    return select(points.positions, crews.station)
