"""What of a plan was truly walked, crew by crew, and what was walked beside it."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.network import StreetNetwork
from planner.patrol.tracks.matching import Matched
from planner.patrol.tracks.points import Flags, Floats, Shifts, Tracks

#: Share of a planned segment's metres from which it counts as done: noise hides where a walk begins and ends.
DONE_SHARE = 0.8
#: Joins the names of a crew's persons in the table of crews.
AND = "、"
#: Metres longer than any segment, so that segments laid out this far apart never touch.
_APART_M = 1e6


class Stretches(NamedTuple):
    """Stretches of numbered lines: which line (int64), from and to (metres, from <= to)."""

    line: NDArray[np.int64]
    from_m: Floats
    to_m: Floats


def merged(given: Stretches) -> Stretches:
    """Join stretches that overlap or touch: what they cover together, each metre once, in order."""
    order = np.lexsort((given.from_m, given.line))
    begin, end = (given.line * _APART_M + m for m in (given.from_m, given.to_m))
    begin, reach = begin[order], np.maximum.accumulate(end[order])
    opens = np.r_[True, begin[1:] > reach[:-1]][: len(begin)]
    closes = np.r_[opens[1:], True][: len(begin)]
    line = given.line[order][opens]
    return Stretches(line, begin[opens] - line * _APART_M, reach[closes] - line * _APART_M)


def covered_m(asked: Stretches, by: Stretches) -> Floats:
    """Return how many metres of each stretch asked about lie on any of the stretches ``by`` (n,)."""
    whole = merged(by)
    begin, end = whole.line * _APART_M + whole.from_m, whole.line * _APART_M + whole.to_m
    before = np.r_[0.0, np.cumsum(end - begin)]

    def until(place: Floats) -> Floats:
        i = np.searchsorted(begin, place, "right")
        last = np.maximum(i - 1, 0)
        beyond = np.maximum(end[last] - place, 0.0) if len(end) else np.zeros(len(place))
        return np.where(i > 0, before[i] - beyond, 0.0)

    low, high = asked.line * _APART_M + asked.from_m, asked.line * _APART_M + asked.to_m
    return np.maximum(until(high) - until(low), 0.0)


def shifts_of(crews: pd.DataFrame) -> Shifts:
    """Return person (and crew) -> shifts of a plan's crews, in seconds since 1970."""
    out: dict[str, list[tuple[float, float]]] = {}
    begins, ends = (_seconds(crews[name]) for name in ("shift_from", "shift_until"))
    for crew, persons, begin, end in zip(crews["crew"], crews["persons"], begins, ends, strict=True):
        for name in {str(crew), *str(persons).split(AND)} - {""}:
            out.setdefault(name, []).append((float(begin), float(end)))
    return out


def compare_with_plan(
    network: StreetNetwork, tracks: Tracks, matched: Matched, plan: dict[str, pd.DataFrame]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (done, missed): for each crew and date how much of its plan was walked, and the segments it left out.

    plan : tables "crews", "steps" and "legs" of a patrol. A track belongs to the crew that its person is one of (or is
    named as), as far as it falls into the crew's shift. A planned segment is done once ``DONE_SHARE`` of its planned
    metres lie on the crew's tracks, in either direction.

    done : date, crew, persons, tracks, segments, segments_done, planned_m, walked_m (of the planned), walked_share,
    done_share (planned metres of the segments done), unplanned_m (walked where no leg of the crew's leads).
    missed : date, crew, segment_id, name, planned_m, walked_m, priority, must; in the order of the plan.
    """
    crews = plan["crews"].reset_index(drop=True)
    owner = _owners(crews, tracks, matched)
    number = pd.Series(np.arange(len(crews)), index=pd.MultiIndex.from_frame(crews[["date", "crew"]].astype(str)))
    legs = _legs(network, plan, number)
    service = legs[legs["kind"] == "patrol"].drop_duplicates(["line", "low", "high"])
    walked = Stretches(
        _line(owner, matched.segment, network),
        np.minimum(matched.from_m, matched.to_m),
        np.maximum(matched.from_m, matched.to_m),
    )
    ours = owner >= 0
    walked = Stretches(walked.line[ours], walked.from_m[ours], walked.to_m[ours])
    service = service.assign(covered_m=covered_m(_stretches(service), walked))
    segments: pd.DataFrame = service.groupby(["line", "owner", "segment"], sort=False).agg(
        planned_m=("planned_m", "sum"), walked_m=("covered_m", "sum"), name=("name", "first"),
        priority=("priority", "sum"), must=("must", "any"),
    ).reset_index()  # fmt: skip
    segments["done"] = segments["walked_m"] >= DONE_SHARE * segments["planned_m"]
    return _done(crews, tracks, matched, owner, segments, walked, _stretches(legs)), _missed(network, crews, segments)


def _seconds(times: pd.Series) -> Floats:
    return pd.to_datetime(times, format="ISO8601").to_numpy("datetime64[us]").astype(np.int64) / 1e6


def _owners(crews: pd.DataFrame, tracks: Tracks, matched: Matched) -> NDArray[np.int64]:
    """Return (p,) the row of the crew each piece was walked for, the first whose shift holds its middle; -1: none."""
    owner = np.full(len(matched.segment), -1)
    middle_s = (matched.begin_s + matched.end_s) / 2
    begins, ends = _seconds(crews["shift_from"]), _seconds(crews["shift_until"])
    person = tracks.person.astype(str)
    for row in range(len(crews)):
        names = [str(crews["crew"][row]), *str(crews["persons"][row]).split(AND)]
        theirs = np.isin(person, names)[matched.track] & (begins[row] <= middle_s) & (middle_s <= ends[row])
        owner[theirs & (owner < 0)] = row
    return owner


def _line(owner: NDArray[np.int64], segment: NDArray[np.int32], network: StreetNetwork) -> NDArray[np.int64]:
    """Number each crew's segments apart."""
    return owner * network.n_segments + segment


def _legs(network: StreetNetwork, plan: dict[str, pd.DataFrame], number: "pd.Series[int]") -> pd.DataFrame:
    """Return the plan's legs with their crew's row, the line they lie on, and what their step is for."""
    steps = plan["steps"][["date", "crew", "step", "kind", "name", "priority", "must"]]
    legs = plan["legs"].merge(steps, on=["date", "crew", "step"], how="left")
    position = pd.Series(np.arange(network.n_segments), index=network.segment_id)
    segment = position.reindex(legs["segment_id"]).to_numpy(np.float64)
    known = np.isfinite(segment)
    legs = legs[known].assign(
        segment=segment[known].astype(np.int64),
        owner=number.reindex(pd.MultiIndex.from_frame(legs[known][["date", "crew"]].astype(str))).to_numpy(np.int64),
        low=np.minimum(legs["from_m"], legs["to_m"])[known],
        high=np.maximum(legs["from_m"], legs["to_m"])[known],
    )
    legs = legs.assign(planned_m=legs["high"] - legs["low"])
    line = _line(legs["owner"].to_numpy(np.int64), legs["segment"].to_numpy(np.int32), network)
    return pd.DataFrame(legs.assign(line=line))


def _stretches(legs: pd.DataFrame) -> Stretches:
    return Stretches(legs["line"].to_numpy(np.int64), legs["low"].to_numpy(float), legs["high"].to_numpy(float))


def _done(
    crews: pd.DataFrame,
    tracks: Tracks,
    matched: Matched,
    owner: NDArray[np.int64],
    segments: pd.DataFrame,
    walked: Stretches,
    planned: Stretches,
) -> pd.DataFrame:
    n = len(crews)
    ours: Flags = owner >= 0
    pairs = np.unique(np.column_stack([owner[ours], matched.track[ours]]), axis=0)
    beside_m = matched.metres[ours] - covered_m(walked, planned)
    of, finished = segments["owner"].to_numpy(np.int64), segments["done"].to_numpy(bool)
    planned_m = segments["planned_m"].to_numpy(float)
    sums = {
        "tracks": np.bincount(pairs[:, 0].astype(np.int64), minlength=n),
        "segments": np.bincount(of, minlength=n),
        "segments_done": np.bincount(of[finished], minlength=n),
        "planned_m": np.bincount(of, planned_m, n),
        "walked_m": np.bincount(of, segments["walked_m"].to_numpy(float), n),
    }
    done_m = np.bincount(of[finished], planned_m[finished], n)
    whole = np.where(sums["planned_m"] > 0, sums["planned_m"], np.nan)
    done = pd.DataFrame(crews[["date", "crew", "persons"]]).assign(
        **sums,
        walked_share=sums["walked_m"] / whole,
        done_share=done_m / whole,
        unplanned_m=np.bincount(owner[ours], np.maximum(beside_m, 0.0), n),
    )
    return pd.DataFrame(done)


def _missed(network: StreetNetwork, crews: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    left = segments[~segments["done"]]
    of = left["owner"].to_numpy(np.int64)
    return pd.DataFrame(
        {
            "date": crews["date"].to_numpy(object)[of],
            "crew": crews["crew"].to_numpy(object)[of],
            "segment_id": network.segment_id[left["segment"].to_numpy(np.int64)],
            "name": left["name"].fillna("").to_numpy(object),
            "planned_m": left["planned_m"].to_numpy(float),
            "walked_m": left["walked_m"].to_numpy(float),
            "priority": left["priority"].to_numpy(float),
            "must": left["must"].to_numpy(bool),
        }
    )
