"""A city's records as one night's or week's patrol needs them, and the night laid out of them."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.errors import QuestionError
from gis.modes import travel_by
from gis.network import Positions
from gis.snapping import snap
from layers.scope import Scope
from planner.areas_around import area_named, areas_of, lie_within
from planner.coverage_inputs import CoverageInputs
from planner.hotspots.heat import heat_of
from planner.hotspots.records import HotspotRecords
from planner.notes import Note
from planner.patrol.calendar import due_nights
from planner.patrol.crews import CrewList, crews_of, station_positions
from planner.patrol.duties import REPORT_DAYS, Duties, duties_of, report_duties
from planner.patrol.night import SERVICE_KMH, Night, night_of
from planner.patrol.question import PatrolQuestion

Floats = NDArray[np.float64]
Objects = NDArray[np.object_]
#: A report this far from any street cannot be walked to.
REPORT_SNAP_M = 200.0


@dataclass(frozen=True, slots=True, eq=False)
class PatrolRecords:
    """A city and what it says of patrols.

    duties : the layer patrol-duties; duty_at : where its points are. roster : the layer. found_at : days of the
    discovery reports of ``city.reports``. point_x, point_y, point_lon, point_lat : of ``city.points``, in metres and
    degrees. hotspots : reports and the effort of patrols.
    """

    city: CoverageInputs
    duties: pd.DataFrame
    duty_at: Positions
    roster: pd.DataFrame
    found_at: pd.Series
    point_x: Floats
    point_y: Floats
    point_lon: Floats
    point_lat: Floats
    hotspots: HotspotRecords


@dataclass(frozen=True, slots=True, eq=False)
class Calendar:
    """All duties of a question and the nights they are due.

    cell : (d,) code of the grid cell (community where there are none) around each. x, y : (d,) metres. due : (d, 7).
    """

    duties: Duties
    cell: Objects
    x: Floats
    y: Floats
    due: NDArray[np.bool_]
    notes: tuple[Note, ...]


def calendar_of(records: PatrolRecords, question: PatrolQuestion, drawn_on: dt.date) -> Calendar:
    """Return the duties within the question's areas and when they are due.

    drawn_on : the day whose draw of what streets are worth is meant: another day explores other streets.
    Raises QuestionError on an unknown area, or where no street is left to patrol.
    """
    city, network = records.city, records.city.network
    half_m = network.length_m / 2
    middles = Positions(np.arange(network.n_segments, dtype=np.int32), half_m, np.zeros(network.n_segments))
    around = areas_of(city.pieces, middles)
    area_of: dict[str, Objects] = {
        tier.level: np.where(around[tier.level] >= 0, tier.code[around[tier.level]], "") for tier in city.tiers
    }
    days = pd.to_datetime(records.found_at)
    recent = (days <= pd.Timestamp(question.date)) & (
        days > pd.Timestamp(question.date) - pd.Timedelta(days=REPORT_DAYS)
    )
    walkable = np.isfinite(travel_by(network, "walk").seconds_per_m)
    found = city.reports.positions.segment[recent.to_numpy(bool)]
    heat = heat_of(records.hotspots, walkable, drawn_on)
    duties, lost = duties_of(network, walkable, records.duties, records.duty_at, area_of, found, heat)
    spots = Positions(duties.segment, np.where(duties.check, duties.offset_m, half_m[duties.segment]), duties.gap_m)
    duties = duties.take(lie_within(city, spots, question.within)) if question.within else duties
    if not len(duties):
        raise QuestionError("没有可巡查的街面", "there is no street to patrol")
    on = duties.segment
    x, y = ((at[network.u[on]] + at[network.v[on]]) / 2 for at in (network.x, network.y))
    finest = next((t.level for t in reversed(city.tiers) if t.level in ("grid_cell", "community")), None)
    cell = np.full(len(duties), "", object) if finest is None else area_of[finest][on]
    work_s = np.where(duties.check, duties.dwell_s, network.length_m[on] * 3.6 / SERVICE_KMH["walk"])
    notes = [] if not lost else [Note("duties-lost", f"{lost} 项巡查要求不在街面上，未计入",
                                      f"{lost} duties lie on no street and were left out")]  # fmt: skip
    if heat is not None:
        notes.append(Note("worth-drawn", "街面价值取自按巡查量校正的发现率，并随日期抽取，使少有人看的街面也会巡到",
                          "streets are worth what patrols would find, corrected for effort and drawn anew each day, "
                          "so that streets seldom looked at get their turn"))  # fmt: skip
    return Calendar(duties, cell, x, y, due_nights(duties.times_a_week, work_s, x, y), tuple(notes))


def crews_on(records: PatrolRecords, date: dt.date, question: PatrolQuestion) -> tuple[CrewList, list[Note]]:
    """Return the crews of one night: those of the question's areas, or of everywhere where nobody of them is on duty.

    Raises QuestionError where there are none at all.
    """
    network = records.city.network
    middles = Positions(
        np.arange(network.n_segments, dtype=np.int32), network.length_m / 2, np.zeros(network.n_segments)
    )
    around = areas_of(records.city.pieces, middles)
    x, y = ((at[network.u] + at[network.v]) / 2 for at in (network.x, network.y))
    centre: dict[str, tuple[float, float]] = {}
    for tier in records.city.tiers:
        of = around[tier.level]
        inside = of >= 0
        count = np.bincount(of[inside], minlength=len(tier.code))
        mean = [np.bincount(of[inside], at[inside], len(tier.code)) / np.maximum(count, 1) for at in (x, y)]
        centre |= {
            str(code): (float(mean[0][i]), float(mean[1][i])) for i, code in enumerate(tier.code) if count[i] > 0
        }
    at = records.point_x, records.point_y
    own = _of_areas(records, question.within)
    crews, notes = crews_of(own, date, question.hours, records.city.points, centre, at)
    if not len(crews) and question.within:
        crews, notes = crews_of(records.roster, date, question.hours, records.city.points, centre, at)
    if not len(crews):
        raise QuestionError(
            f"{date} 名册上没有可出巡的网格员（lamplight import roster 文件，或 --workers 文件）",
            f"no grid worker is on duty on {date} (lamplight import roster FILE, or --workers FILE)",
        )
    return crews, notes


def _of_areas(records: PatrolRecords, within: tuple[str, ...]) -> pd.DataFrame:
    """Return the roster of those who belong to the areas ``within``; all of it where none is named."""
    if not within:
        return records.roster
    named = [area_named(records.city.tiers, one) for one in within]
    scopes = [Scope.of(str(tier.code[i])) for tier, i in named]
    homes = records.roster["area_code"].fillna("").astype(str)
    return records.roster[[any(scope.holds(home) for scope in scopes) for home in homes]]


def lay_out(
    records: PatrolRecords, calendar: Calendar, crews: CrewList, kept: NDArray[np.bool_], usual: Objects
) -> Night:
    """Return the night of the ``kept`` duties; usual : (d,) names of who usually walks each, "" for none."""
    return night_of(
        records.city.network, calendar.duties.take(kept), crews, station_positions(records.city.points, crews),
        calendar.cell[kept], (calendar.x[kept], calendar.y[kept]), usual[kept],
    )  # fmt: skip


def with_reports(calendar: Calendar, records: PatrolRecords, reports: Sequence[tuple[float, float, float]]) -> Calendar:
    """Return the calendar with a check at every report (lon, lat, seconds since midnight when it came in).

    Raises QuestionError on a report that lies on no street.
    """
    if not reports:
        return calendar
    network = records.city.network
    walkable = np.isfinite(travel_by(network, "walk").seconds_per_m)
    lon_lat_when = np.array(reports, np.float64).T
    at = snap(network, *lon_lat_when[:2], limit_m=REPORT_SNAP_M, usable=walkable)
    if (at.segment < 0).any():
        lon, lat, _ = reports[int(np.argmax(at.segment < 0))]
        raise QuestionError(f"报告位置 {lon},{lat} 附近没有街面", f"the report at {lon},{lat} lies on no street")
    new = report_duties(at, lon_lat_when[2])
    duties = Duties(*(np.concatenate([getattr(calendar.duties, f.name), getattr(new, f.name)]) for f in fields(Duties)))
    u, v = network.u[at.segment], network.v[at.segment]
    x, y = ((of[u] + of[v]) / 2 for of in (network.x, network.y))
    return replace(
        calendar, duties=duties, cell=np.r_[calendar.cell, np.full(len(new), "", object)], x=np.r_[calendar.x, x],
        y=np.r_[calendar.y, y], due=np.r_[calendar.due, np.ones((len(new), 7), bool)],
    )  # fmt: skip
