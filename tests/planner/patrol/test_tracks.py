"""Tracks judged and summed: duty hours, flags, datum, noise, effort, and what of a plan was walked."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.walks import points_of, walks
from gis.datum import bd09_from_wgs84, gcj02_from_wgs84
from gis.errors import QuestionError
from gis.network import StreetNetwork
from gis.network_build import network_from_edges
from layers.demo_city.build import build_demo_city
from planner.patrol.tracks.answer import TrackCase, match_answer
from planner.patrol.tracks.datum_fit import fitted_datum
from planner.patrol.tracks.done import Stretches, covered_m, merged
from planner.patrol.tracks.effort import effort_by_hour
from planner.patrol.tracks.matching import match, match_ground
from planner.patrol.tracks.noise import measured
from planner.patrol.tracks.points import Tracks, on_duty
from planner.patrol.tracks.question import MatchQuestion
from planner.patrol.tracks.screening import FLAGS, screen
from tests.gis.model_networks import network_of
from tests.planner.patrol.drawn_tracks import line, tracks_at

#: 2026-11-20 20:00 on the city's clock, in seconds since 1970.
EIGHT = float(pd.Timestamp("2026-11-20 20:00").value // 10**9)


@pytest.fixture(scope="module")
def town() -> StreetNetwork:
    return network_from_edges(build_demo_city("town").streets)


@pytest.fixture(scope="module")
def street() -> StreetNetwork:
    """Two streets of 400 m, one after the other to the east, and one of 400 m to the north from their middle."""
    return network_of([(0, 0), (400, 0), (800, 0), (400, 400)], [0, 1, 1], [1, 2, 3])


def noisy(run: np.ndarray, seed: int, noise_m: float = 8.0) -> np.ndarray:
    shaken = run.copy()
    shaken[:, :2] += np.random.default_rng(seed).normal(0, noise_m, (len(run), 2))
    return shaken


def codes(tracks: Tracks, network: StreetNetwork, mode: str = "walk", **more) -> dict[str, int]:
    n = len(tracks)
    in_city = more.pop("in_city", np.ones(len(tracks.lon), bool))
    found = screen(tracks, network, np.full(n, mode, object), noise_m=np.full(n, 8.0), in_city=in_city, **more)
    assert all(str(c) in zh + en for c, zh, en in zip(found["count"], found["zh"], found["en"], strict=True))
    return dict(zip(found["code"], found["count"], strict=True))


def test_an_honest_walk_is_not_flagged(street: StreetNetwork) -> None:
    walk = noisy(line([(10, 0), (790, 0)], 600.0, 5.0), 1)
    assert codes(tracks_at(walk), street) == {}


def test_a_ride_is_too_fast_for_a_walker_and_not_for_an_e_bike(street: StreetNetwork) -> None:
    ride = noisy(line([(10, 0), (790, 0)], 100.0, 20.0), 1)
    assert set(codes(tracks_at(ride), street)) == {"too-fast"}
    assert codes(tracks_at(ride), street, "ebike") == {}


def test_a_jump_is_a_teleport_and_counted_once(street: StreetNetwork) -> None:
    walk = noisy(line([(10, 0), (200, 0)], 150.0, 5.0), 1)
    walk[20:, 1] += 5000
    assert codes(tracks_at(walk), street) == {"teleport": 1}


def test_times_that_repeat_or_go_backwards_are_counted(street: StreetNetwork) -> None:
    walk = noisy(line([(10, 0), (400, 0)], 300.0, 5.0), 1)
    walk[10, 2] = walk[9, 2]
    walk[[20, 21], 2] = walk[[21, 20], 2]
    assert codes(tracks_at(walk), street) == {"time-backwards": 1, "time-repeated": 1}


def test_one_exact_spot_for_long_is_frozen_and_flicker_is_not(street: StreetNetwork) -> None:
    t = np.arange(0, 600.0, 5.0)
    spot = np.column_stack([np.full(len(t), 100.0), np.full(len(t), 3.0), t])
    assert codes(tracks_at(spot), street) == {"frozen": len(t)}
    assert codes(tracks_at(noisy(spot, 1)), street) == {}


def test_a_drawn_line_is_too_straight_and_on_the_line(street: StreetNetwork) -> None:
    drawn = line([(10, 0), (790, 0)], 600.0, 5.0)
    assert set(codes(tracks_at(drawn), street)) == {"too-straight", "on-the-line"}
    assert set(codes(tracks_at(line([(10, 9), (790, 9)], 600.0, 5.0)), street)) == {"too-straight"}
    plan = np.array([True, True, False])
    assert set(codes(tracks_at(drawn), street, planned=plan)) == {"too-straight", "as-planned"}


def test_of_two_equal_tracks_the_later_is_the_copy(street: StreetNetwork) -> None:
    walk = noisy(line([(10, 0), (790, 0)], 600.0, 5.0), 1)
    other = noisy(line([(10, 0), (790, 0)], 600.0, 5.0), 2)
    later = walk.copy()
    later[:, 2] += 86_400
    tracks = tracks_at(later, walk, other)
    found = screen(tracks, street, np.full(3, "walk", object), noise_m=np.full(3, 8.0),
                   in_city=np.ones(len(tracks.lon), bool))  # fmt: skip
    assert found[["track", "code"]].to_numpy().tolist() == [[0, "copy"]] and "track 1" in found["en"][0]


def test_points_outside_the_city_are_counted(street: StreetNetwork) -> None:
    walk = tracks_at(noisy(line([(10, 0), (790, 0)], 600.0, 5.0), 1))
    assert codes(walk, street, in_city=np.arange(len(walk.lon)) >= 7) == {"outside-city": 7}
    assert set(FLAGS) >= {"outside-city", "copy", "frozen"}


@pytest.mark.parametrize("mode", ["walk", "ebike"])
def test_simulated_walks_are_not_flagged(town: StreetNetwork, mode: str) -> None:
    rng, kmh = np.random.default_rng(3), {"walk": 4.5, "ebike": 15.0}[mode]
    tracks = points_of(
        town, walks(town, mode, count=10, metres=3000, kmh=kmh, rng=rng), every_s=(5, 30), noise_m=10.0, rng=rng
    )
    found = screen(tracks, town, np.full(10, mode, object), noise_m=np.full(10, 10.0),
                   in_city=np.ones(len(tracks.lon), bool))  # fmt: skip
    assert not len(found)


def test_only_points_on_duty_are_told_apart_by_shift_and_by_hours() -> None:
    run = np.column_stack([np.zeros(6), np.zeros(6), EIGHT + 3600.0 * np.arange(-1, 5)])  # 19:00 to 24:00
    tracks = tracks_at(run, run)
    shifts = {"track 0": [(EIGHT, EIGHT + 3600.0)]}
    assert on_duty(tracks, shifts, None).tolist() == [False, True, True, False, False, False] + [False] * 6
    by_hours = on_duty(tracks, shifts, (22 * 3600, 26 * 3600))
    assert by_hours[6:].tolist() == [False, False, False, True, True, True]


@pytest.mark.parametrize(("datum", "shift"), [("wgs84", None), ("gcj02", gcj02_from_wgs84), ("bd09", bd09_from_wgs84)])
def test_the_datum_is_the_one_in_which_tracks_follow_streets(town: StreetNetwork, datum: str, shift: object) -> None:
    rng = np.random.default_rng(8)
    truth = walks(town, "walk", count=6, metres=1500, kmh=4.5, rng=rng)
    tracks = points_of(town, truth, every_s=(5, 20), noise_m=10.0, rng=rng, shift=shift)
    assert fitted_datum(match_ground(town, "walk"), tracks, np.arange(6)).tolist() == [datum] * 6


def test_too_short_a_track_goes_by_its_file(town: StreetNetwork) -> None:
    rng = np.random.default_rng(8)
    truth = walks(town, "walk", count=3, metres=1500, kmh=4.5, rng=rng)
    tracks = points_of(town, truth, every_s=(10, 10), noise_m=10.0, rng=rng, shift=gcj02_from_wgs84)
    within = np.arange(len(tracks.lon)) - tracks.indptr[tracks.of_point]
    short = tracks.kept((tracks.of_point > 0) | (within < 5))
    ground = match_ground(town, "walk")
    assert fitted_datum(ground, short, np.array([0, 0, 1])).tolist() == ["gcj02"] * 3
    assert fitted_datum(ground, short, np.array([0, 1, 1])).tolist() == ["wgs84", "gcj02", "gcj02"]


@pytest.mark.parametrize("noise_m", [5.0, 10.0, 20.0])
def test_noise_is_measured_from_the_tracks(town: StreetNetwork, noise_m: float) -> None:
    rng = np.random.default_rng(9)
    truth = walks(town, "walk", count=6, metres=3000, kmh=4.5, rng=rng)
    tracks = points_of(town, truth, every_s=(10, 10), noise_m=noise_m, rng=rng)
    found = measured(match_ground(town, "walk"), tracks).noise_m
    np.testing.assert_allclose(found, noise_m, rtol=0.4)
    assert np.median(found) == pytest.approx(noise_m, rel=0.15)


def test_standing_still_neither_hides_the_noise_nor_makes_a_way(street: StreetNetwork) -> None:
    parts, t = [], 0.0
    for x in range(50, 750, 100):  # 100 m on, then five minutes at one spot
        parts.append(line([(x, 0), (x + 100, 0)], 80.0, 5.0, start_s=t))
        parts.append(line([(x + 100, 0), (x + 100, 0.01)], 300.0, 5.0, start_s=t + 85.0))
        t += 390.0
    walk = tracks_at(noisy(np.vstack(parts), 6, 10.0))
    ground = match_ground(street, "walk")
    noise = measured(ground, walk).noise_m
    assert noise[0] == pytest.approx(10.0, rel=0.3)
    assert match(ground, walk, noise_m=noise).metres.sum() == pytest.approx(700.0, rel=0.08)


def test_effort_is_what_was_walked_shared_among_hours(street: StreetNetwork) -> None:
    # 800 m in 800 s from 20:53:20 on: 400 s before nine, 400 s after
    walk = line([(0, 0), (800, 0)], 800.0, 10.0, start_s=EIGHT + 3200.0)
    found = match(match_ground(street, "walk"), tracks_at(walk, walk))
    effort = effort_by_hour(street, found)
    assert list(effort.columns) == ["segment_id", "date", "hour", "metres", "seconds"]
    assert effort["metres"].sum() == pytest.approx(found.metres.sum())
    assert effort["seconds"].sum() == pytest.approx(1600.0)
    assert effort.groupby("hour")["metres"].sum().to_dict() == pytest.approx({20: 800.0, 21: 800.0}, abs=30)
    assert set(effort["date"]) == {"2026-11-20"} and set(effort["segment_id"]) == {1, 2}


def test_covered_metres_equal_those_counted_metre_by_metre() -> None:
    rng = np.random.default_rng(4)

    def some(n: int) -> Stretches:
        ends = np.sort(rng.integers(0, 60, (n, 2)), axis=1).astype(float)
        return Stretches(rng.integers(0, 4, n), ends[:, 0], ends[:, 1])

    for _ in range(40):
        asked, by = some(8), some(rng.integers(0, 12))
        ground = np.zeros((4, 60), bool)
        for s, a, b in zip(*by, strict=True):
            ground[s, int(a) : int(b)] = True
        expected = [ground[s, int(a) : int(b)].sum() for s, a, b in zip(*asked, strict=True)]
        np.testing.assert_allclose(covered_m(asked, by), expected, atol=1e-6)
        whole = merged(by)
        assert (whole.to_m - whole.from_m).sum() == pytest.approx(ground.sum())


def plan_of(network: StreetNetwork) -> dict[str, pd.DataFrame]:
    """Crew C01 (甲, 乙) is to patrol segments 1 and 3 and travels by 2; crew C02 (丙) is to patrol segment 2."""
    night = {"date": "2026-11-20", "mode": "walk", "shift_from": "2026-11-20T20:00:00"}
    crews = pd.DataFrame(
        {"crew": ["C01", "C02"], "persons": ["甲、乙", "丙"], "shift_until": "2026-11-20T22:00:00"} | night
    )
    steps = pd.DataFrame(
        {"date": "2026-11-20", "crew": ["C01", "C01", "C01", "C02"], "step": [0, 1, 2, 0],
         "kind": ["patrol", "travel", "patrol", "patrol"], "name": ["中山路", "", "太平路", ""],
         "priority": [3.0, 0.0, 2.0, 1.0], "must": [True, False, False, False]}
    )  # fmt: skip
    legs = pd.DataFrame(
        {"date": "2026-11-20", "crew": ["C01", "C01", "C01", "C02"], "step": [0, 1, 2, 0],
         "segment_id": [1, 2, 3, 2], "from_m": [0.0, 0.0, 400.0, 0.0], "to_m": [400.0, 400.0, 0.0, 400.0]}
    )  # fmt: skip
    return {"crews": crews, "steps": steps, "legs": legs}


def answered(network: StreetNetwork, tracks: Tracks, question: MatchQuestion, **more):
    case = TrackCase(network, tracks, np.zeros(len(tracks), np.int64), more.pop("forget", 0.0), **more)
    return match_answer(case, question)


def named(tracks: Tracks, *people: str) -> Tracks:
    return Tracks(tracks.name, np.array(people, object), tracks.indptr, tracks.lon, tracks.lat, tracks.time_s)


def test_what_of_a_plan_was_walked_is_told_crew_by_crew(street: StreetNetwork) -> None:
    walk = noisy(line([(0, 0), (400, 0), (700, 0)], 600.0, 5.0, start_s=EIGHT + 60), 1, 3.0)
    tables = answered(street, named(tracks_at(walk), "乙"), MatchQuestion(plan="x"), plan=plan_of(street))
    done = tables["done"].set_index("crew")
    assert done["segments"].to_dict() == {"C01": 2, "C02": 1}
    assert done["segments_done"].to_dict() == {"C01": 1, "C02": 0}
    assert done["done_share"].to_dict() == pytest.approx({"C01": 0.5, "C02": 0.0})
    assert done["planned_m"]["C01"] == pytest.approx(800) and done["walked_m"]["C01"] == pytest.approx(400, abs=15)
    assert done["unplanned_m"].max() < 15  # the way along segment 2 is a leg of the plan
    missed = tables["missed"]
    assert missed[["crew", "segment_id"]].to_numpy().tolist() == [["C01", 3], ["C02", 2]]
    assert missed["name"].tolist() == ["太平路", ""] and missed["must"].tolist() == [False, False]


def test_metres_beside_the_plan_are_counted(street: StreetNetwork) -> None:
    walk = noisy(line([(400, 0), (800, 0), (400, 0), (400, 380)], 1000.0, 5.0, start_s=EIGHT + 60), 1, 3.0)
    tables = answered(street, named(tracks_at(walk), "丙"), MatchQuestion(plan="x"), plan=plan_of(street))
    done = tables["done"].set_index("crew")
    assert done["segments_done"]["C02"] == 1 and done["unplanned_m"]["C02"] == pytest.approx(380, abs=25)


def test_points_off_duty_or_too_old_are_gone_before_anything_is_looked_at(street: StreetNetwork) -> None:
    walk = noisy(line([(0, 0), (800, 0)], 800.0, 5.0, start_s=EIGHT - 400), 1)
    far = walk.copy()
    far[walk[:, 2] < EIGHT, 1] += 4000  # where nobody may look
    question = MatchQuestion(hours=(20 * 3600, 24 * 3600))
    one, other = (answered(street, tracks_at(run), question) for run in (walk, far))
    for name in ("tracks", "effort", "flags", "unmatched"):
        pd.testing.assert_frame_equal(one[name], other[name])
    row = one["tracks"].iloc[0]
    assert row["points"] == row["kept"] + row["cut_off_duty"] + row["forgotten"] and row["cut_off_duty"] == 80
    assert row["begins"] == "2026-11-20T20:00:00" and row["matched_m"] == pytest.approx(400, abs=25)
    old = answered(street, tracks_at(walk), question, forget=EIGHT + 200)["tracks"].iloc[0]
    assert old["forgotten"] == 120 and old["kept"] == 41
    nothing = answered(street, tracks_at(walk), question, forget=EIGHT + 10_000)
    assert nothing["tracks"]["kept"].tolist() == [0] and not len(nothing["effort"])


def test_a_park_is_unmatched_and_said_so(street: StreetNetwork) -> None:
    walk = noisy(line([(10, 0), (200, 0), (200, -300), (600, -300), (600, 0), (790, 0)], 1100.0, 5.0, start_s=EIGHT), 1)
    tables = answered(street, tracks_at(walk), MatchQuestion(hours=(20 * 3600, 24 * 3600)))
    unmatched = tables["unmatched"]
    assert unmatched["code"].tolist() == ["off-streets"] and unmatched["metres"][0] == pytest.approx(400, abs=90)
    assert 0.4 < tables["tracks"]["unmatched_share"][0] < 0.9


def test_a_phone_in_gcj02_gives_the_same_answer_and_a_note(town: StreetNetwork) -> None:
    rng = np.random.default_rng(12)
    truth = walks(town, "walk", count=4, metres=2500, kmh=4.5, rng=rng)
    plain = points_of(town, truth, every_s=(5, 20), noise_m=10.0, rng=rng)
    lon, lat = gcj02_from_wgs84(plain.lon, plain.lat)
    phone = Tracks(plain.name, plain.person, plain.indptr, lon, lat, plain.time_s)
    question = MatchQuestion(hours=(0, 86_400))
    one, other = answered(town, plain, question), answered(town, phone, question)
    np.testing.assert_allclose(one["effort"]["metres"], other["effort"]["metres"], atol=1e-6)
    assert set(other["tracks"]["datum"]) == {"gcj02"} and "datum-shifted" in set(other["notes"]["code"])
    assert "datum-shifted" not in set(one["notes"]["code"])


def test_no_name_is_in_the_effort(street: StreetNetwork) -> None:
    walk = noisy(line([(0, 0), (800, 0)], 800.0, 5.0, start_s=EIGHT), 1)
    effort = answered(street, named(tracks_at(walk), "甲"), MatchQuestion(hours=(72_000, 86_400)))["effort"]
    assert not effort.astype(str).apply(lambda column: column.str.contains("甲")).to_numpy().any()


@pytest.mark.parametrize("more", [{}, {"hours": (0, 1), "mode": "fly"}, {"hours": (0, 1), "datum": "mars"},
                                  {"hours": (0, 1), "keep_days": 0}, {"plan": "x", "noise_m": -1.0}])  # fmt: skip
def test_impossible_questions_are_refused(more: dict[str, object]) -> None:
    with pytest.raises(QuestionError):
        MatchQuestion(**more)
