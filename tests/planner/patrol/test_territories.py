"""Parts of a night on a grid of streets: everyone and everything in one of them, with about the same work."""

import numpy as np
import pandas as pd
import pytest

from gis.network import Positions
from planner.patrol import territories
from planner.patrol.crews import CrewList
from planner.patrol.duties import duties_of
from planner.patrol.night import Night, night_of
from planner.patrol.territories import crew_parts, station_parts
from tests.gis.model_networks import network_of
from tests.planner.patrol.test_duties import BLANK

SIDE, STEP_M = 16, 120.0


def night(stations: list[int], crews_each: int = 2, seed: int = 0) -> Night:
    """A night on a grid of 16 x 16 junctions, stations at some of them."""
    at = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    u = np.concatenate([at[:, :-1].ravel(), at[:-1].ravel()])
    v = np.concatenate([at[:, 1:].ravel(), at[1:].ravel()])
    xy = np.column_stack(np.divmod(np.arange(SIDE * SIDE), SIDE)).astype(float) * STEP_M
    network = network_of(xy, u, v)
    m = network.n_segments
    none = Positions(np.empty(0, np.int32), np.empty(0), np.empty(0))
    duties, _ = duties_of(network, np.ones(m, bool), pd.DataFrame(columns=list(BLANK)), none, {}, np.empty(0, np.int32))
    r = len(stations) * crews_each
    station = np.repeat(np.arange(len(stations)), crews_each)
    node = np.array(stations)[station]
    segment = np.array([np.flatnonzero((network.u == n) | (network.v == n))[0] for n in node], np.int32)
    offset_m = np.where(network.u[segment] == node, 0.0, network.length_m[segment])
    text = np.full(r, "", object)
    evening, shift_s = np.full(r, 72_000.0), np.full(r, 14_400.0)
    crews = CrewList(
        np.array([f"C{i}" for i in range(r)], object), text, text, np.full(r, "walk", object), text, station,
        network.x[node], network.y[node], evening, evening + shift_s, shift_s, np.zeros(r), evening,
        np.full(r, frozenset(), object),
    )  # fmt: skip
    x, y = ((of[network.u] + of[network.v]) / 2 for of in (network.x, network.y))
    blank = np.full(m, "", object)
    return night_of(network, duties, crews, Positions(segment, offset_m, np.zeros(r)), blank, (x, y), blank)


STATIONS = [17, 30, 119, 200, 238]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(territories, "PART_SERVICES", 120)


def test_every_crew_and_every_service_within_its_time_is_in_one_part() -> None:
    whole = night(STATIONS)
    parts = station_parts(whole)
    crews = np.concatenate([part.crews for part in parts])
    services = np.concatenate([part.services for part in parts])
    assert sorted(crews) == list(range(len(whole.crews))) and len(parts) > 1
    assert len(np.unique(services)) == len(services)
    assert len(services) == len(whole)  # ten crews have time for 480 streets of 120 m, three times over


def test_territories_carry_about_the_same_work_for_their_crews() -> None:
    whole = night(STATIONS)
    shares = [
        whole.service_s[0, part.services].sum() / whole.crews.longest_s[part.crews].sum()
        for part in station_parts(whole)
    ]
    # without evening out the largest would be three times the smallest; streets of a grid change hands by whole rows
    assert max(shares) <= 1.5 * min(shares)


@pytest.mark.parametrize("angle", [0.0, 0.7, 2.1])
def test_later_parts_hold_their_crews_routes_and_the_services_around(angle: float) -> None:
    whole = night(STATIONS)
    rng = np.random.default_rng(3)
    drawn = rng.permutation(len(whole))[:200]
    routes = [np.sort(part) for part in np.array_split(drawn, len(whole.crews))]
    parts = crew_parts(whole, routes, angle)
    assert sorted(np.concatenate([part.crews for part in parts])) == list(range(len(whole.crews)))
    services = np.concatenate([part.services for part in parts])
    assert len(np.unique(services)) == len(services)
    for part in parts:
        assert (np.diff(part.services) > 0).all()
        for crew in part.crews:
            assert np.isin(routes[crew], part.services).all()


def test_a_part_taken_out_of_a_night_is_the_same_problem_in_its_own_numbers() -> None:
    whole = night(STATIONS)
    part = station_parts(whole)[0]
    small, large = whole.take(part.services, part.crews).problem(), whole.problem()
    for i in range(0, len(part.services), 7):
        for j in range(0, len(part.services), 11):
            a, b = part.services[i], part.services[j]
            own = small.travel_s[0, small.services.ends[i, 0], small.services.begins[j, 0]]
            assert own == pytest.approx(large.travel_s[0, large.services.ends[a, 0], large.services.begins[b, 0]])
    assert small.services.left_out.tolist() == whole.left_out[part.services].tolist()
