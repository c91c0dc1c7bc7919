"""Coverage of random towns against a sample of every half metre, timed by scipy and placed by plain comparisons."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from shapely import LineString, Point, box

from planner.coverage import CoverageQuestion
from planner.runs import run_coverage
from tests.planner.toy_town import CITY, frame, keep

THRESHOLDS = (120, 300, 600)
SUBDISTRICTS = ["320102001000", "320102002000", "320102003000", "320102004000"]
SIDE = 800.0
SPLIT = (370.0, 450.0)
STEP_M = 0.5
BOXES = [
    (0.0, 0.0, *SPLIT),
    (SPLIT[0], 0.0, SIDE, SPLIT[1]),
    (0.0, SPLIT[1], SPLIT[0], SIDE),
    (*SPLIT, SIDE - 60, SIDE),  # leaves a strip that is in no subdistrict
]


@dataclass
class Town:
    at: np.ndarray
    u: np.ndarray
    v: np.ndarray
    walkable: np.ndarray
    points: np.ndarray
    homes: np.ndarray
    people: np.ndarray
    totals: np.ndarray

    @property
    def length(self) -> np.ndarray:
        return np.hypot(*(self.at[self.v] - self.at[self.u]).T)


def random_town(seed: int) -> Town:
    rng = np.random.default_rng(seed)
    at = rng.uniform(20, SIDE - 20, (40, 2))
    u = np.r_[np.arange(25), rng.integers(0, 40, 30)]
    v = np.r_[np.arange(1, 26), rng.integers(0, 40, 30)]
    u, v = u[u != v], v[u != v]
    walkable = np.arange(len(u)) % 11 != 3
    points = rng.uniform(100, SIDE - 100, (4, 2))
    return Town(
        at, u, v, walkable, points, rng.uniform(20, SIDE - 80, (60, 2)), rng.integers(1, 9, 60) * 1.0,
        np.array([4000.0, 0.0, 900.0, 500.0]),
    )  # fmt: skip


def store_of(town: Town, new_store, name: str, order: np.random.Generator | None = None):
    shuffled = (lambda t: t.sample(frac=1, random_state=order)) if order else (lambda t: t)
    m = len(town.u)
    streets = frame(
        [LineString([town.at[a], town.at[b]]) for a, b in zip(town.u, town.v, strict=True)],
        segment_id=list(range(1, m + 1)), u=town.u.tolist(), v=town.v.tolist(), length_m=town.length.tolist(),
        oneway=[0] * m, street_class=["residential" if w else "motorway" for w in town.walkable],
        name=[f"street {i}" for i in range(m)], free_kmh=[np.nan] * m,
    )  # fmt: skip
    areas = frame([box(*b) for b in BOXES], code=SUBDISTRICTS, name=list("abcd"))
    services = frame(
        [Point(p) for p in town.points], code=list("PQRS"), name=list("PQRS"), functions=["guidance"] * 4,
        hours=["24/7"] * 4, build_state=["existing"] * 4, capacity=[1.0, 2.0, 3.0, np.nan],
    )  # fmt: skip
    population = frame(
        [*(Point(p) for p in town.homes), *[None] * 4],
        people=[*town.people, *town.totals],
        area_code=[*[None] * 60, *SUBDISTRICTS],
    )
    reports = frame(
        [Point(p) for p in town.homes], report_id=[f"R{i}" for i in range(60)], found_at=["2024-01-01"] * 60
    )
    city = frame([box(-500, -500, SIDE + 500, SIDE + 500)], code=[CITY], name=["city"])
    layers = {
        ("streets", ""): streets, ("areas", "subdistrict"): areas, ("service-points", ""): services,
        ("population", ""): population, ("reports", ""): reports, ("areas", "city"): city,
    }  # fmt: skip
    return keep(new_store(name), {key: shuffled(table) for key, table in layers.items()})


def nearest_street(town: Town, place: np.ndarray) -> tuple[int, float, float]:
    """Return (segment, metres from u, gap) by trying every walkable segment."""
    a, b = town.at[town.u], town.at[town.v]
    share = np.clip(((place - a) * (b - a)).sum(axis=1) / town.length**2, 0, 1)
    gap = np.where(town.walkable, np.hypot(*(a + share[:, None] * (b - a) - place).T), np.inf)
    s = int(gap.argmin())
    return s, share[s] * town.length[s], gap[s]


def seconds_along(town: Town, segment: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Return the walk at 1 m/s from each place on a segment to the nearest point."""
    n, m = len(town.at), len(town.u)
    open_ = np.flatnonzero(town.walkable)
    rows, cols, metres = [town.u[open_]], [town.v[open_]], [town.length[open_]]
    direct = np.full(len(segment), np.inf)
    for k, place in enumerate(town.points):
        s, x, gap = nearest_street(town, place)
        rows.append([n + k, n + k])
        cols.append([town.u[s], town.v[s]])
        metres.append([gap + x, gap + town.length[s] - x])
        direct = np.where(segment == s, np.minimum(direct, gap + np.abs(offset - x)), direct)
    size = n + len(town.points)
    r, c, d = (np.concatenate(part) for part in (rows, cols, metres))
    order = np.argsort(-d, kind="stable")  # of parallel segments the last written, the shortest, must stand
    graph = np.full((size, size), np.inf)
    graph[r[order], c[order]] = d[order]
    graph = np.minimum(graph, graph.T)
    finite = np.isfinite(graph)
    sparse = coo_array((graph[finite], np.nonzero(finite)), shape=graph.shape)
    node = dijkstra(sparse.tocsr(), indices=range(n, size), min_only=True)
    ends = np.minimum(node[town.u[segment]] + offset, node[town.v[segment]] + town.length[segment] - offset)
    assert m > segment.max()
    return np.where(town.walkable[segment], np.minimum(ends, direct), np.inf)


def area_of(place: np.ndarray) -> np.ndarray:
    inside = [
        (place[:, 0] >= x0) & (place[:, 0] < x1) & (place[:, 1] >= y0) & (place[:, 1] < y1) for x0, y0, x1, y1 in BOXES
    ]
    return np.where(np.any(inside, axis=0), np.argmax(inside, axis=0), -1)


def sampled(town: Town) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (street, people): samples with area, seconds and the metres or people each stands for."""
    count = np.ceil(town.length / STEP_M).astype(int)
    segment = np.repeat(np.arange(len(town.u)), count)
    share = (np.arange(len(segment)) - np.repeat(np.cumsum(count) - count, count) + 0.5) / count[segment]
    place = town.at[town.u[segment]] + share[:, None] * (town.at[town.v] - town.at[town.u])[segment]
    street = pd.DataFrame(
        {
            "area": area_of(place),
            "seconds": seconds_along(town, segment, share * town.length[segment]),
            "weight": (town.length / count)[segment],
        }
    )
    snapped = [nearest_street(town, home) for home in town.homes]
    s, x, gap = (np.array(column) for column in zip(*snapped, strict=True))
    home = pd.DataFrame(
        {"area": area_of(town.homes), "seconds": seconds_along(town, s, x) + gap, "weight": town.people}
    )
    at_home = home.groupby("area")["weight"].sum().reindex(range(4), fill_value=0).to_numpy()
    rest = np.maximum(town.totals - at_home, 0)
    open_ = street[town.walkable[segment] & (street["area"] >= 0)]
    metres = open_.groupby("area")["weight"].sum().reindex(range(4)).to_numpy()
    spread = open_.assign(weight=open_["weight"] * (rest / metres)[open_["area"]])
    return street, pd.concat([home, spread], ignore_index=True)


def quantile(samples: pd.DataFrame, q: float) -> float:
    ordered = samples.sort_values("seconds")
    at = np.searchsorted(ordered["weight"].cumsum(), q * ordered["weight"].sum())
    return float(ordered["seconds"].iloc[min(at, len(ordered) - 1)])


@pytest.mark.parametrize("seed", range(4))
def test_every_figure_of_an_area_equals_a_sample_of_every_half_metre(seed: int, new_store) -> None:
    town = random_town(seed)
    run = run_coverage(store_of(town, new_store, "town"), CoverageQuestion(thresholds_s=THRESHOLDS, walk_kmh=3.6))
    areas = run.tables["areas"].set_index("code").loc[SUBDISTRICTS]
    street, people = sampled(town)
    for i, (_, row) in enumerate(areas.iterrows()):
        in_street, in_people = street[street["area"] == i], people[people["area"] == i]
        # each crossing of a border or of a threshold costs at most half a sample
        assert row["street_m"] == pytest.approx(in_street["weight"].sum(), abs=15)
        assert row["people"] == pytest.approx(in_people["weight"].sum(), rel=1e-3)
        assert row["unreached_people"] == pytest.approx(
            in_people["weight"][np.isinf(in_people["seconds"])].sum(), abs=row["people"] * 2e-3
        )
        reached = in_people[np.isfinite(in_people["seconds"])]
        assert row["mean_s"] == pytest.approx(np.average(reached["seconds"], weights=reached["weight"]), abs=1)
        for t in THRESHOLDS:
            for name, samples in (("street_m", in_street), ("people", in_people)):
                covered = samples["weight"][samples["seconds"] <= t].sum()
                assert row[f"covered_{name}_{t}"] == pytest.approx(covered, abs=row[name] * 4e-3 + 5)
        for name, q in (("median_s", 0.5), ("p95_s", 0.95)):
            by_sample = quantile(in_people, q)
            if np.isnan(row[name]):
                assert quantile(in_people, q + 0.005) == np.inf
            else:
                assert quantile(in_people, q - 0.005) - 1 <= row[name] <= quantile(in_people, q + 0.005) + 1
                assert row[name] == pytest.approx(by_sample, abs=20)


def test_the_order_of_imported_rows_changes_nothing(new_store) -> None:
    town, asked = random_town(9), CoverageQuestion(thresholds_s=THRESHOLDS)
    straight = run_coverage(store_of(town, new_store, "straight"), asked)
    shuffled = run_coverage(store_of(town, new_store, "shuffled", np.random.default_rng(1)), asked)
    assert straight.inputs == shuffled.inputs
    for name, table in straight.tables.items():
        pd.testing.assert_frame_equal(table, shuffled.tables[name], check_exact=True)


@pytest.mark.parametrize("mode", ["walk", "ebike", "drive"])
@pytest.mark.parametrize("spread", ["streets", "communities"])
def test_nothing_is_lost_or_counted_twice_in_any_mode(mode: str, spread: str, new_store) -> None:
    town = random_town(2)
    asked = CoverageQuestion(thresholds_s=THRESHOLDS, mode=mode, spread=spread)
    tables = run_coverage(store_of(town, new_store, "town"), asked).tables
    total, levels = tables["totals"].iloc[0], tables["levels"]
    assert total["street_m"] == pytest.approx(town.length.sum())
    assert (levels["street_m"] + levels["street_m_outside"]).tolist() == pytest.approx([total["street_m"]] * 2)
    at_home = np.bincount(area_of(town.homes) + 1, town.people, minlength=5)
    placed = at_home.sum() + np.maximum(town.totals - at_home[1:], 0).sum()
    assert total["people"] == pytest.approx(placed)
    names = [f"covered_{what}_{t}" for what in ("people", "street_m", "reports") for t in THRESHOLDS]
    for what in ("people", "street_m", "reports"):
        grown = total[[f"covered_{what}_{t}" for t in THRESHOLDS]].tolist()
        assert grown == sorted(grown)
        assert grown[-1] <= total[what] + 1e-6
    assert total[names].notna().all()
    segments = tables["segments"]
    for t in THRESHOLDS:
        assert segments[f"covered_m_{t}"].sum() == pytest.approx(total[f"covered_street_m_{t}"])
