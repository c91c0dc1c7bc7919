"""Tracks judged, matched, summed and compared with the plan: the tables of a run of kind "tracks"."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gis.datum import DATUMS, to_wgs84
from gis.network import StreetNetwork
from layers.shapes import outside
from planner.coverage_notes import note_table
from planner.notes import Note
from planner.patrol.tracks.datum_fit import fitted_datum
from planner.patrol.tracks.done import AND, compare_with_plan, shifts_of
from planner.patrol.tracks.effort import effort_by_hour
from planner.patrol.tracks.matching import Matched, MatchGround, MatchModel, combined, match, match_ground
from planner.patrol.tracks.noise import measured
from planner.patrol.tracks.points import Flags, Floats, Tracks, on_duty
from planner.patrol.tracks.question import AUTO, MatchQuestion
from planner.patrol.tracks.screening import screen

Tables = dict[str, pd.DataFrame]
#: What ``tell`` is told, in order.
MATCH_STEPS = ("duty", "datum", "noise", "screening", "matching", "comparing")
DONE_COLUMNS = (
    "date", "crew", "persons", "tracks", "segments", "segments_done", "planned_m", "walked_m", "walked_share",
    "done_share", "unplanned_m",
)  # fmt: skip
MISSED_COLUMNS = ("date", "crew", "segment_id", "name", "planned_m", "walked_m", "priority", "must")


@dataclass(frozen=True, slots=True, eq=False)
class TrackCase:
    """Tracks to judge, in the order of their rows, and what they are held against.

    file : (n,) tracks of one file bear one number. datum : of the coordinates in ``tracks``, "auto" where they are as
    written. forget_before_s : what is older is forgotten. plan : tables of a patrol, None without one. boundary : of
    the city, None where it is not known.
    """

    network: StreetNetwork
    tracks: Tracks
    file: NDArray[np.int64]
    forget_before_s: float
    plan: Tables | None = None
    boundary: BaseGeometry | None = None


def match_answer(
    case: TrackCase, question: MatchQuestion, *, tell: Callable[[str], None] = lambda step: None
) -> Tables:
    """Return the tables of the tracks of ``case``.

    "tracks": one row a track: track, person, mode, datum, points, forgotten, cut_off_duty, kept, begins, ends (local
    ISO text, "" where nothing is kept), noise_m, mean_gap_m (of points from the streets matched), matched_m, seconds,
    unmatched_share (of the time on duty), flags (codes).
    "effort": segment_id, date, hour, metres, seconds: over all tracks, without names.
    "unmatched": track, begins, ends, metres (straight), code, zh, en: stretches of which no street is known.
    "flags": track, code, count, zh, en. "done", "missed": see ``done.compare_with_plan``; empty without a plan.
    "notes": code, zh, en. Points off duty or too old are left out before anything else is looked at.
    """
    tell(MATCH_STEPS[0])
    given = case.tracks
    recent = given.time_s >= case.forget_before_s
    shifts = shifts_of(case.plan["crews"]) if case.plan is not None else {}
    duty = on_duty(given, shifts, question.hours)
    modes = _modes(given, question.mode, case.plan)
    grounds = {str(mode): match_ground(case.network, str(mode)) for mode in np.unique(modes.astype(str))}
    tracks = given.kept(recent & duty)
    tell(MATCH_STEPS[1])
    tracks, datum = _in_wgs84(grounds, tracks, modes, case.file, question.datum)
    tell(MATCH_STEPS[2])
    ordered = tracks.in_time()
    noise, pace = _measured(grounds, ordered, modes, question.noise_m)
    tell(MATCH_STEPS[3])
    planned = None if case.plan is None else np.isin(case.network.segment_id, case.plan["legs"]["segment_id"])
    in_city = ~outside(shapely.points(tracks.lon, tracks.lat), case.boundary)
    flags = screen(tracks, case.network, modes, noise_m=noise, in_city=in_city, planned=planned)
    tell(MATCH_STEPS[4])
    matched = combined(
        [
            (
                np.flatnonzero(modes == mode),
                match(ground, _only(ordered, modes == mode), noise_m=noise[modes == mode], pace=pace[modes == mode]),
            )
            for mode, ground in grounds.items()
        ]
    )
    tell(MATCH_STEPS[5])
    counts = _counts(given, recent, duty)
    table = _track_table(tracks, modes, datum, counts, noise, matched, flags)
    unmatched = _unmatched(given, matched)
    done, missed = _compared(case, tracks, matched)
    named = flags.assign(track=given.name[flags["track"].to_numpy(np.int64)])
    return {
        "tracks": table,
        "effort": effort_by_hour(case.network, matched),
        "unmatched": unmatched,
        "flags": named,
        "done": done,
        "missed": missed,
        "notes": note_table(_notes(table, datum, question, case)),
    }


def _modes(tracks: Tracks, usual: str, plan: Tables | None) -> NDArray[np.object_]:
    """Return how each track's person moved (n,): as the plan says of the crew, else as usual."""
    mode_of: dict[str, str] = {}
    if plan is not None:
        for crew, persons, mode in plan["crews"][["crew", "persons", "mode"]].itertuples(index=False):
            mode_of |= dict.fromkeys((str(crew), *str(persons).split(AND)), str(mode))
    return np.array([None, *(mode_of.get(str(person), usual) for person in tracks.person)], object)[1:]


def _only(tracks: Tracks, chosen: Flags) -> Tracks:
    """Return some of the tracks, whole."""
    part = tracks.kept(chosen[tracks.of_point])
    return Tracks(
        part.name[chosen], part.person[chosen], np.r_[0, np.cumsum(part.points[chosen])], part.lon, part.lat,
        part.time_s,
    )  # fmt: skip


def _measured(
    grounds: dict[str, MatchGround], tracks: Tracks, modes: NDArray[np.object_], given_m: float | None
) -> tuple[Floats, Floats]:
    """Return each track's noise (n,), as given or measured, and its pace (n,)."""
    noise, pace = np.empty(len(tracks)), np.empty(len(tracks))
    for mode, ground in grounds.items():
        chosen = modes == mode
        noise[chosen], pace[chosen] = measured(ground, _only(tracks, chosen))
    return noise if given_m is None else np.full(len(tracks), given_m), pace


def _in_wgs84(
    grounds: dict[str, MatchGround], tracks: Tracks, modes: NDArray[np.object_], file: NDArray[np.int64], datum: str
) -> tuple[Tracks, NDArray[np.object_]]:
    """Return the tracks in WGS84 and the datum each was written in."""
    if datum != AUTO:
        return tracks, np.full(len(tracks), datum, object)
    ordered = tracks.in_time()
    written = np.full(len(tracks), DATUMS[0], object)
    for mode, ground in grounds.items():
        chosen = modes == mode
        written[chosen] = fitted_datum(ground, _only(ordered, chosen), file[chosen])
    lon, lat = tracks.lon.copy(), tracks.lat.copy()
    for name in DATUMS[1:]:
        points = (written == name)[tracks.of_point]
        lon[points], lat[points] = to_wgs84(lon[points], lat[points], name)
    return replace(tracks, lon=lon, lat=lat), written


def _counts(given: Tracks, recent: Flags, duty: Flags) -> pd.DataFrame:
    of, n = given.of_point, len(given)
    return pd.DataFrame(
        {
            "points": given.points,
            "forgotten": np.bincount(of[~recent], minlength=n),
            "cut_off_duty": np.bincount(of[recent & ~duty], minlength=n),
            "kept": np.bincount(of[recent & duty], minlength=n),
        }
    )


def _track_table(
    tracks: Tracks,
    modes: NDArray[np.object_],
    datum: NDArray[np.object_],
    counts: pd.DataFrame,
    noise: Floats,
    matched: Matched,
    flags: pd.DataFrame,
) -> pd.DataFrame:
    n = len(tracks)
    placed = matched.look_segment >= 0
    looks = np.bincount(matched.look_track[placed], minlength=n)
    gap_m = np.bincount(matched.look_track[placed], matched.look_gap_m[placed], n) / np.where(looks > 0, looks, np.nan)
    codes = flags.groupby("track")["code"].agg(",".join).reindex(range(n)).fillna("")
    ordered = tracks.in_time()
    filled = ordered.points > 0
    begins, ends = np.full(n, np.nan), np.full(n, np.nan)
    begins[filled] = ordered.time_s[ordered.indptr[:-1][filled]]
    ends[filled] = ordered.time_s[ordered.indptr[1:][filled] - 1]
    span_s = ends - begins
    seconds = np.bincount(matched.track, matched.end_s - matched.begin_s, n)
    on_way_s = matched.matched_s(n)
    return pd.DataFrame(
        {
            "track": tracks.name,
            "person": tracks.person,
            "mode": modes,
            "datum": datum,
            **{name: counts[name] for name in counts},
            "begins": local_text(begins),
            "ends": local_text(ends),
            "noise_m": noise,
            "mean_gap_m": gap_m,
            "matched_m": np.bincount(matched.track, matched.metres, n),
            "seconds": seconds,
            "unmatched_share": np.clip(1.0 - on_way_s / np.where(span_s > 0, span_s, np.nan), 0.0, 1.0),
            "flags": codes.to_numpy(object),
        }
    )


def _unmatched(tracks: Tracks, matched: Matched) -> pd.DataFrame:
    """List the stretches between two ways of a track: too far from any street, no way along streets, or silence."""
    of, chain = matched.look_track, matched.look_chain
    placed = chain >= 0
    same = of[1:] == of[:-1]
    breaks = ~same | ((chain[1:] != chain[:-1]) & placed[1:] & placed[:-1])
    lost = ~placed[1:] | ~placed[:-1]
    # stretches from look to look that no way covers, joined while they follow one another
    open_ = same & (lost | breaks)
    # strays inside a way are passed over: the way before and after them is one
    ahead = np.maximum.accumulate(np.where(placed, chain, -1))
    behind = np.minimum.accumulate(np.where(placed, chain, np.iinfo(np.int64).max)[::-1])[::-1]
    open_ &= ahead[:-1] != behind[1:]
    begins = np.flatnonzero(open_ & ~np.r_[False, open_[:-1] & same[:-1]])
    ends = np.flatnonzero(open_ & ~np.r_[open_[1:] & same[1:], False]) + 1
    metres = np.hypot(matched.look_x[ends] - matched.look_x[begins], matched.look_y[ends] - matched.look_y[begins])
    far = np.array([not placed[a : b + 1].all() for a, b in zip(begins, ends, strict=True)], bool)
    silent = matched.look_s[ends] - matched.look_s[begins] > MatchModel().gap_s
    code = np.where(far, "off-streets", np.where(silent, "silence", "no-way"))
    return pd.DataFrame(
        {
            "track": tracks.name[of[begins]],
            "begins": local_text(matched.look_s[begins]),
            "ends": local_text(matched.look_s[ends]),
            "metres": metres,
            "code": code.astype(object),
            "zh": [_REASONS[c][0] for c in code],
            "en": [_REASONS[c][1] for c in code],
        }
    )


_REASONS = {
    "off-streets": ("附近没有街道，未匹配", "no street near by: not matched"),
    "silence": ("长时间没有定位点，走法未知", "no points for long: the way is not known"),
    "no-way": ("沿街道走不通，未匹配", "no way along streets: not matched"),
}


def _compared(case: TrackCase, tracks: Tracks, matched: Matched) -> tuple[pd.DataFrame, pd.DataFrame]:
    if case.plan is None:
        return pd.DataFrame(columns=list(DONE_COLUMNS)), pd.DataFrame(columns=list(MISSED_COLUMNS))
    return compare_with_plan(case.network, tracks, matched, case.plan)


def _notes(table: pd.DataFrame, datum: NDArray[np.object_], question: MatchQuestion, case: TrackCase) -> list[Note]:
    cut, old = int(table["cut_off_duty"].sum()), int(table["forgotten"].sum())
    notes = [
        Note(
            "duty-only",
            f"值班时间以外的 {cut:,} 个点未经查看即剔除；轨迹点本身不保存",
            f"{cut:,} points off duty were left out unseen; the points themselves are not kept",
        )
    ]
    if old:
        zh, en = f"早于保留期限的 {old:,} 个点已剔除", f"{old:,} points older than what may be kept were left out"
        notes.append(Note("forgotten", zh, en))
    for name in DATUMS[1:]:
        count = int((datum == name).sum()) if question.datum == AUTO else 0
        if count:
            zh, en = (
                f"{count} 条轨迹按 {name} 换算后才与街道相合",
                f"{count} tracks fit the streets as {name} only: shifted",
            )
            notes.append(Note("datum-shifted", zh, en))
    if case.plan is not None:
        names = set(shifts_of(case.plan["crews"]))
        strangers = int((~table["person"].isin(list(names))).sum())
        if strangers:
            zh = f"{strangers} 条轨迹的人员不在计划之中"
            notes.append(Note("not-in-plan", zh, f"{strangers} tracks are of nobody in the plan"))
    flagged = int((table["flags"] != "").sum())
    if flagged:
        notes.append(
            Note("flagged", f"{flagged} 条轨迹有疑点，未剔除", f"{flagged} tracks are flagged; none was dropped")
        )
    return notes


def local_text(seconds: Floats) -> NDArray[np.object_]:
    """Return local ISO text (n,) of seconds since 1970, "" for NaN."""
    known = np.isfinite(seconds)
    text = np.where(known, seconds, 0.0).astype("datetime64[s]").astype(str).astype(object)
    return np.where(known, text, "")
