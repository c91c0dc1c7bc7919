"""Readers of published arc routing instances: CARP with Spanish headings, mixed CARP with English ones.

Formats: the CARPLIB's own description (Spanish headings: gdb, val, egl, bmcv, kshs, egl-large), and the mixed instances
(mval, lpr) of Belenguer et al. 2006, doi:10.1016/j.cor.2005.02.009, which list edges (both directions) and arcs (one
way) apart, with a cost to serve and a cost to pass.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

#: Headings of both languages, and what they are called here.
HEADINGS = {
    "NOMBRE": "name", "NAME": "name", "COMENTARIO": "comment", "COMMENT": "comment",
    "VERTICES": "nodes", "NODOS": "nodes", "NODES": "nodes",
    "VEHICULOS": "vehicles", "VEHICLES": "vehicles", "CAPACIDAD": "capacity", "CAPACITY": "capacity",
    "DEPOSITO": "depot", "DEPOT": "depot", "DUMPING_COST": "dumping",
    "ARISTAS_REQ": "req edges", "REQ_EDGES": "req edges", "ARISTAS_NOREQ": "edges", "NOREQ_EDGES": "edges",
    "ARCOS_REQ": "req arcs", "REQ_ARCS": "req arcs", "ARCOS_NOREQ": "arcs", "NOREQ_ARCS": "arcs",
}  # fmt: skip
#: Words within a row, and what they state.
WORDS = {
    "coste": "pass", "cost": "pass", "costo": "pass", "trav_cost": "pass", "coste_trav": "pass",
    "serv_cost": "serve", "coste_serv": "serve", "demanda": "load", "demand": "load",
}  # fmt: skip
HEADING = re.compile(r"\s*([A-Za-z_]+)\s*[:=]?\s*(.*)$")
ROW = re.compile(r"\s*\(\s*(\d+)\s*[,;\s]\s*(\d+)\s*\)\s*(.*)$")
PAIR = re.compile(r"([A-Za-z_]+)\s*[:=]?\s*(-?\d+(?:\.\d*)?)\s*")


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One arc routing instance: n nodes, m one-way arcs (an edge is two), t tasks to be served.

    arc : (m, 2) from, to. arc_cost : (m,) to pass. task : (t, 2) ends. task_cost : (t,) to serve, the way included.
    load : (t,). both_ways : (t,) served in either direction. vehicles : the most routes, None where none is stated.
    best_known : NaN where none is stated. remark : what a reader of the result must know, or "".
    """

    name: str
    family: str
    n_nodes: int
    arc: Ints
    arc_cost: Floats
    task: Ints
    task_cost: Floats
    load: Floats
    both_ways: NDArray[np.bool_]
    capacity: float
    vehicles: int | None
    depot: int
    best_known: float
    remark: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    kind: str
    ends: tuple[int, int]
    words: dict[str, float]


def read_instance(path: Path) -> Instance:
    """Read one file; its family is its folder's name. Raises ValueError, naming the file and what is wrong."""
    headings, rows = _read(path)
    faults = [] if _first_number(headings.get("capacity", "")) > 0 else ["no capacity"]
    if not any(row.kind.startswith("req") for row in rows):
        faults.append("no required edges or arcs")
    remarks = _counts_that_differ(headings, rows)
    if remarks and "depot" not in headings:  # which stands last
        faults.append(f"the file ends early: {remarks[0]}")
    if faults:
        raise ValueError(f"{path}: {'; '.join(faults)}")

    used = {end for row in rows for end in row.ends}
    depot = int(_first_number(headings["depot"])) if "depot" in headings else min(used)
    number = _numbers(path, used | {depot}, int(_first_number(headings.get("nodes", ""))))
    served = [row for row in rows if row.kind.startswith("req")]
    arc, arc_cost = [], []
    for row in rows:
        u, v = number[row.ends[0]], number[row.ends[1]]
        ways = [(u, v), (v, u)] if row.kind.endswith("edges") else [(u, v)]
        arc += ways
        arc_cost += [row.words["pass"]] * len(ways)
    load = np.array([row.words.get("load", 0.0) for row in served])
    capacity, vehicles = _first_number(headings["capacity"]), int(_first_number(headings.get("vehicles", "")))
    if load.max() > capacity:
        raise ValueError(f"{path}: a task takes {load.max():g}, a vehicle {capacity:g}")
    if vehicles * capacity < load.sum() and vehicles > 0:
        remarks.append(f"{vehicles} vehicles cannot carry {load.sum():g}: not taken as a bound")
    if _first_number(headings.get("dumping", "")):
        remarks.append("its dumping cost is not counted")
    return Instance(
        path.stem, path.resolve().parent.name, len(number), np.array(arc, np.int32), np.array(arc_cost),
        np.array([[number[end] for end in row.ends] for row in served], np.int32),
        np.array([row.words.get("serve", row.words["pass"]) for row in served]), load,
        np.array([row.kind == "req edges" for row in served]), capacity,
        vehicles if vehicles * capacity >= load.sum() else None,
        number[depot],
        _best_known(path, headings.get("comment", "")), "; ".join(remarks),
    )  # fmt: skip


def _read(path: Path) -> tuple[dict[str, str], list[_Row]]:
    """Return headings and rows; a row is of the kind of the list it stands in."""
    headings: dict[str, str] = {}
    rows: list[_Row] = []
    kind = ""
    for i, line in enumerate(path.read_text("latin-1").splitlines(), 1):
        if row := ROW.match(line):
            words = {WORDS.get(word.lower(), word.lower()): float(value) for word, value in PAIR.findall(row[3])}
            if not kind or PAIR.sub("", row[3]).strip() or words.get("pass", words.get("serve", -1.0)) < 0:
                raise ValueError(f"{path}: line {i} is no edge or arc of a known kind: {line.strip()[:60]}")
            words.setdefault("pass", words.get("serve", 0.0))
            rows.append(_Row(kind, (int(row[1]), int(row[2])), words))
        elif heading := HEADING.match(line):
            word = heading[1].upper()
            if word.startswith(("LISTA_", "LIST_")):
                kind = HEADINGS.get(word.split("_", 1)[1], "")
            elif word in HEADINGS:
                headings[HEADINGS[word]] = heading[2].strip()
    return headings, rows


def _first_number(text: str) -> float:
    """Return the first number in ``text``, 0 where there is none."""
    found = re.search(r"-?\d+(?:\.\d*)?", text)
    return float(found[0]) if found else 0.0


def _counts_that_differ(headings: dict[str, str], rows: list[_Row]) -> list[str]:
    """Compare the lists with the counts stated; the lists are what is solved."""
    differ = []
    for kind in ("req edges", "edges", "req arcs", "arcs"):
        held = sum(row.kind == kind for row in rows)
        if headings.get(kind) and int(_first_number(headings[kind])) != held:
            differ.append(f"{headings[kind]} {kind} stated, {held} listed")
    return differ


def _numbers(path: Path, used: set[int], n: int) -> dict[int, int]:
    """Return the position of each node used: its number less one, or in order where other numbers are used."""
    if min(used) >= 1 and max(used) <= n:
        return {k: k - 1 for k in range(1, n + 1)}
    if len(used) > n > 0:
        raise ValueError(f"{path}: {n} nodes stated, {len(used)} used")
    return {label: k for k, label in enumerate(sorted(used))}


def _best_known(path: Path, comment: str) -> float:
    """Look the value up in best_known.csv beside the file or its folder, else in ``OPT=`` or ``UB=`` of the comment.

    The older files state some upper bound (cota superior) instead, which is not the best known.
    """
    for folder in (path.parent, path.resolve().parent.parent):
        table = folder / "best_known.csv"
        if table.is_file():
            with table.open(encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    if row.get("instance", "").lower() == path.stem.lower() and row.get("best_known"):
                        return float(row["best_known"])
    stated = re.search(r"\b(?:OPT|UB)\s*=\s*(\d+(?:\.\d+)?)", comment)
    return float(stated[1]) if stated else np.nan
