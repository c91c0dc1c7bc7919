"""Readers of published siting instances: each file is known by what it holds, not by its name."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path

Floats = NDArray[np.float64]

#: The radius of the Earth the covering instances are made with.
EARTH_M = 6_378_100.0
#: San Francisco: a store covers a tract within this distance; all its published optima are for four stores.
SF_WITHIN_M, SF_STORES = 5000.0, 4
#: Published optima of San Francisco (pysal/spopt, its own notebooks): problem to value.
SF_OPTIMA = {"pmedian": 2_848_268_129.715, "pcenter": 7403.0638, "lscp": 8.0, "mclp": 875_247.0}


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One problem on one instance.

    cost : (sites, demands), ``inf`` where there is no way. count : sites to open. within : covering distance, where
    the problem has one. capacity : of each site, where it has one. best_known : published value, NaN where none is.
    proven : whether the published value is known to be optimal.
    """

    name: str
    problem: str
    cost: Floats
    weight: Floats
    count: int = 0
    within: float = np.nan
    capacity: float = np.nan
    best_known: float = np.nan
    proven: bool = True


def read_cases(path: Path, problem: str | None, counts: list[int], radius: float) -> list[Case]:
    """Read a file or the San Francisco folder; return its problems, or the one asked for.

    counts, radius : asked for, in place of the file's own. Raises ValueError on a file of no known kind.
    """
    if path.is_dir():
        cases = _san_francisco(path)
    else:
        text = path.read_text("utf-8", "replace")
        if "NODE_COORD_SECTION" in text:
            cases = _covering(path, text, counts, radius)
        else:
            try:
                numbers = np.array(text.split(), dtype=np.float64)
            except ValueError:
                raise ValueError(f"{path}: no siting instance") from None
            cases = _capacitated(path, numbers) if _is_capacitated(numbers) else _graph(path, numbers)
    kept = [c for c in cases if problem in (None, c.problem)]
    if not kept:
        raise ValueError(f"{path}: not an instance of {problem}")
    return kept


def _is_capacitated(numbers: Floats) -> bool:
    """Whether the numbers are: number, best known; n, p, Q; n times id, x, y, demand."""
    return len(numbers) >= 5 and len(numbers) == 5 + 4 * numbers[2]


def _graph(path: Path, numbers: Floats) -> list[Case]:
    """Read an OR-Library graph: n, edges, p; then u, v, cost. A later edge replaces an earlier one."""
    if len(numbers) < 3 or len(numbers) < 3 + 3 * numbers[1]:
        raise ValueError(f"{path}: not a siting instance")
    n, n_edges, p = (int(v) for v in numbers[:3])
    edges = numbers[3 : 3 + 3 * n_edges].reshape(n_edges, 3)
    length = {}
    for u, v, cost in edges:
        length[min(u, v), max(u, v)] = cost
    ends = np.array(list(length), np.int64).reshape(-1, 2) - 1
    graph = csr_array((np.array(list(length.values())), (ends[:, 0], ends[:, 1])), shape=(n, n))
    cost = shortest_path(graph, directed=False)
    ones = np.ones(n)
    return [
        Case(path.stem, "pmedian", cost, ones, p, best_known=_listed(path.with_name("pmedopt.txt"), path.stem)),
        Case(path.stem, "pcenter", cost, ones, p, best_known=_listed(path.with_name("kcenteropt.txt"), path.stem)),
    ]


def _listed(path: Path, name: str) -> float:
    """Read the value of an instance from a list of names and values; NaN where there is none."""
    if not path.is_file():
        return np.nan
    found = re.search(rf"^\s*{re.escape(name)}\s+(\S+)", path.read_text("utf-8"), re.MULTILINE)
    return float(found[1]) if found else np.nan


def _capacitated(path: Path, numbers: Floats) -> list[Case]:
    """Read an OR-Library capacitated p-median: sites are the customers, distances truncated to whole numbers."""
    rows = numbers[5:].reshape(-1, 4)
    x, y = rows[:, 1], rows[:, 2]
    cost = np.floor(np.hypot(x[:, None] - x, y[:, None] - y))
    return [
        Case(
            path.stem, "cpmp", cost, rows[:, 3], int(numbers[3]), capacity=float(numbers[4]),
            best_known=float(numbers[1]), proven=False,
        )
    ]  # fmt: skip


#: Bronx within 600 m: sites to covered weight, and whether that is known to be optimal.
BRONX = {
    50: (1_205_051, True), 60: (1_290_635, True), 70: (1_348_232, False), 80: (1_376_061, False),
    90: (1_384_376, False), 100: (1_385_099, False),
}  # fmt: skip
BRONX_WITHIN_M = 600.0
#: The radius the instances of São José dos Campos are used with.
SJC_WITHIN_M = 800.0


def _covering(path: Path, text: str, counts: list[int], radius: float) -> list[Case]:
    """Read coordinates and demand under their headings; every place is a site and a demand."""
    places, demand = re.split(r"DEMAND_SECTION", text.split("NODE_COORD_SECTION")[1])
    a, b = np.array(places.split(), np.float64).reshape(-1, 2).T
    weight = np.array(demand.replace("EOF", " ").split(), np.float64)
    if len(weight) != len(a):
        raise ValueError(f"{path}: {len(a)} places, {len(weight)} demands")
    in_degrees = bool((np.abs(a) <= 90).all() and (np.abs(b) <= 180).all())
    cost = _great_circle(a, b) if in_degrees else np.hypot(a[:, None] - a, b[:, None] - b)
    within = radius if np.isfinite(radius) else BRONX_WITHIN_M if in_degrees else SJC_WITHIN_M
    published = BRONX if path.stem.lower() == "bronx" and within == BRONX_WITHIN_M else {}
    cases = []
    for p in counts or (sorted(BRONX) if in_degrees else [max(1, len(a) // 20)]):
        value, proven = published.get(p, (np.nan, False))
        cases.append(Case(f"{path.stem} p={p}", "mclp", cost, weight, p, within, best_known=value, proven=proven))
    cases.append(Case(path.stem, "lscp", cost, weight, within=within, proven=False))
    return cases


def _great_circle(lat: Floats, lon: Floats) -> Floats:
    """Return (n, n) metres between places in degrees."""
    phi, lam = np.radians(lat), np.radians(lon)
    chord = np.sin((phi[:, None] - phi) / 2) ** 2
    chord += np.cos(phi)[:, None] * np.cos(phi) * np.sin((lam[:, None] - lam) / 2) ** 2
    metres: Floats = 2 * EARTH_M * np.arcsin(np.sqrt(np.minimum(chord, 1.0)))
    return metres


def _san_francisco(folder: Path) -> list[Case]:
    """Read network distances between 16 stores and 205 tracts, and the tracts' people."""
    (table,) = folder.glob("*network_distance*.csv")
    (tracts,) = folder.glob("*demand*centroid*.csv")
    with table.open(encoding="utf-8") as file:
        ways = [(row["name"], row["DestinationName"], float(row["distance"])) for row in csv.DictReader(file)]
    with tracts.open(encoding="utf-8") as file:
        people = {row["NAME"]: float(row["POP2000"]) for row in csv.DictReader(file)}
    site = {name: i for i, name in enumerate(sorted({w[0] for w in ways}))}
    demand = {name: i for i, name in enumerate(people)}
    cost = np.full((len(site), len(demand)), np.inf)
    for store, tract, metres in ways:
        cost[site[store], demand[tract]] = metres
    weight = np.array(list(people.values()))
    return [
        Case("San Francisco", name, cost, weight, SF_STORES, SF_WITHIN_M, best_known=value)
        for name, value in SF_OPTIMA.items()
    ]
