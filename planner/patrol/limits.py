"""Why something is left uncovered: who cannot reach it, what needs more than any shift, what came first."""

import numpy as np
from numpy.typing import NDArray

from gis.reach import nearest
from gis.search_graph import SearchGraph
from planner.coverage_inputs import select
from planner.notes import Note
from planner.patrol.night import Night

Floats = NDArray[np.float64]
NO_TIME = Note("no-time", "人手时间不够，先排了更要紧的", "the crews' time went to what matters more")
CANCELLED = Note("stopped", "排班提前终止，尚未排到", "the search was ended before it came to this")
NO_MODE = Note("no-mode", "在岗人员的出行方式都到不了该街面", "no crew's mode of travel may pass this street")
NO_WAY = Note("no-way", "从任何驻点都没有路可到", "there is no way to it from any crew's station")
CLOSED = Note("closed", "没有班次赶得上规定的时段", "no shift meets the hours at which it must be done")


def reasons(night: Night, left: NDArray[np.int64], ended: str) -> list[Note]:
    """Return why each service of ``left`` (numbers of the night) is in no route.

    A limit that no plan could overcome is named first: certificate, mode, way, hours, a shift too short for the way
    there, the service and the way back (a lower bound over all crews). Else time went elsewhere.
    """
    alone_s, go_s = _alone(night)
    crews, duties = night.crews, night.duties
    free_s = np.minimum(crews.longest_s, crews.until_s - crews.from_s)
    longest_s = float(free_s.max(initial=0.0))
    held = frozenset().union(*crews.certificates)
    rest = CANCELLED if ended == "cancelled" else NO_TIME
    said = []
    for i in left.tolist():
        needed = str(duties.certificate[night.duty[i]])
        if needed and needed not in held:
            said.append(Note("certificate", f"无人具备所需资质：{needed}", f"no crew holds the certificate {needed}"))
        elif not np.isfinite(night.service_s[:, i]).any():
            said.append(NO_MODE)
        elif not np.isfinite(alone_s[i]):
            said.append(NO_WAY)
        elif _is_closed(night, i, float(go_s[i])):
            said.append(CLOSED)
        elif alone_s[i] > longest_s:
            zh = f"单独完成至少需 {alone_s[i] / 60:.0f} 分钟，最长的班次只有 {longest_s / 60:.0f} 分钟"
            en = f"alone it takes {alone_s[i] / 60:.0f} min at least, and the longest shift has {longest_s / 60:.0f}"
            said.append(Note("longer-than-shift", zh, en))
        else:
            said.append(rest)
    return said


def _is_closed(night: Night, i: int, go_s: float) -> bool:
    """Tell whether no crew could be there, and done, between the hours of service ``i``."""
    if not (np.isfinite(night.opens_s[i]) or np.isfinite(night.closes_s[i])):
        return False
    shortest_s = float(night.service_s[:, i].min())
    begins = np.maximum(night.crews.from_s + go_s, night.opens_s[i])
    return bool((begins + shortest_s > np.minimum(night.closes_s[i], night.crews.until_s)).all())


def _alone(night: Night) -> tuple[Floats, Floats]:
    """Return (n,) least seconds of any crew for the way, the service and the way back, and for the way alone."""
    alone_s, go_s = np.full(len(night), np.inf), np.full(len(night), np.inf)
    mode_of = night.mode_of
    for k, (graph, at) in enumerate(zip(night.graphs, night.places, strict=True)):
        stations = select(at, np.unique(night.start[mode_of == k]).astype(np.int64))
        near_s = nearest(graph, stations).time_s
        for d in range(2):
            go = _at(graph, near_s, at.segment, at.offset_m, night.begins[:, d])
            # the way back is as long on foot; for vehicles this is near enough to name a reason by
            back = _at(graph, near_s, at.segment, at.offset_m, night.ends[:, d])
            possible = night.both_ways[k] if d else np.ones(len(night), bool)
            alone = np.where(possible, go + night.service_s[k] + back, np.inf)
            alone_s, go_s = np.minimum(alone_s, alone), np.minimum(go_s, np.where(possible, go, np.inf))
    return alone_s, go_s


def _at(
    graph: SearchGraph, near_s: Floats, segment: NDArray[np.int32], offset_m: Floats, place: NDArray[np.int32]
) -> Floats:
    """Return the seconds at each place, by the nearer end of its segment."""
    s = np.maximum(segment[place], 0)
    pace, x = graph.seconds_per_m[s], np.nan_to_num(offset_m[place])
    pace = np.where(np.isfinite(pace), pace, 1e9)
    over_u, over_v = near_s[graph.u[s]] + x * pace, near_s[graph.v[s]] + (graph.length_m[s] - x) * pace
    return np.where(segment[place] >= 0, np.minimum(over_u, over_v), np.inf)
