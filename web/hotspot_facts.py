"""What a card says of one cell, and which subdistrict it lies in."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from web import hotspot_words
from web.hotspot_drawing import HotspotDrawing
from web.hotspot_words import both_of, chance, figure, interval, said, span

Row = Mapping[str, Any]
Facts = dict[str, Callable[[Row], str]]


def area_names(what: HotspotDrawing) -> NDArray[np.object_]:
    """Return (n,) the name of the subdistrict (or the tier that has areas) around the middle of each cell."""
    cells = what.cells
    names = np.full(len(cells), "", object)
    areas = what.at_level(what.level)
    placed = ~cells.geometry.isna().to_numpy()
    if not len(areas) or not placed.any():
        return names
    middle = shapely.centroid(cells.geometry.to_numpy()[placed])
    cell, area = shapely.STRtree(areas.geometry.to_numpy()).query(middle, predicate="intersects")
    rows = np.flatnonzero(placed)
    # a middle on a boundary goes to the area whose code comes first
    names[rows[cell[::-1]]] = areas["name"].astype(str).to_numpy()[area[::-1]]
    return names


def cell_names(what: HotspotDrawing) -> list[tuple[str, str]]:
    """Return the name and the code of each shape of a map."""
    around = area_names(what)
    if what.kind == "hotspot-release":
        named = dict(zip(what.areas["code"].astype(str), what.areas["name"].astype(str), strict=True))
        unit, given = what.cells["unit"].astype(str), what.cells["name"].fillna("").astype(str)
        return [
            (name or named.get(code, "") or area, code)
            for name, code, area in zip(given, unit, around, strict=True)
        ]  # fmt: skip
    pairs = zip(what.cells["column"], what.cells["row"], strict=True)
    return [(area, f"格 cell {c}, {r}") for area, (c, r) in zip(around, pairs, strict=True)]


def facts_of(what: HotspotDrawing) -> tuple[list[str], list[list[str]]]:
    """Return the labels of a card, and of each shape the figures under them."""
    facts = _FACTS[what.kind]
    records = what.cells.drop(columns="geometry").to_dict("records")
    clusters = what.tables.get("clusters")
    if clusters is not None and len(records):
        by = {row["cluster"]: row for row in clusters.to_dict("records")}
        records = [record | by.get(record["cluster"], {}) for record in records]
    return list(facts), [[say(record) for say in facts.values()] for record in records]


def _state(row: Row) -> str:
    return said(hotspot_words.STATE_NAMES, row["state"])


def _km(row: Row, name: str, per: float = 1.0) -> str:
    return figure(row[name] / per, 3)


def _significance(row: Row) -> str:
    return f"z {figure(row['gi_z'])}, p {chance(row['gi_p'])}, q {chance(row['gi_q'])}"


def _moran(row: Row) -> str:
    if not row["moran_class"]:
        return f"不显著 not significant (p {chance(row['moran_p'])})"
    return (
        f"{said(hotspot_words.MORAN_NAMES, row['moran_class'])}, I {figure(row['moran_i'])}, p {chance(row['moran_p'])}"
    )


def _period(row: Row) -> str:
    return f"{row['first']} – {row['last']}" if row["first"] else "全期 whole period"


def _published(row: Row) -> str:
    if row["reports"] != row["reports"] or row["reports"] is None:
        # why is not told: that alone would say that the number is small
        return both_of(hotspot_words.WITHHELD)
    margin = row.get("margin")
    return f"{row['reports']:,.0f}" + (f" ± {margin:.0f}" if margin is not None and margin == margin else "")


_FACTS: Mapping[str, Facts] = {
    "hotspot-map": {
        "可遇到（人/周）\nto be found per week": lambda r: (
            "不明 unknown" if r["state"] == "unknown" else interval(r["rate_week"], r["rate_low"], r["rate_high"])
        ),
        "状态 state": _state,
        "发现报告 reports": lambda r: f"{r['reports']:,.0f}（巡查 patrol {r['patrol_reports']:,.0f}）",
        "巡查 walked km": lambda r: _km(r, "walked_km"),
        "街面 streets km": lambda r: _km(r, "street_m", 1000),
        "密度 reports per km²": lambda r: figure(r["density_km2"]),
        "聚集 Gi*": _significance,
        "邻里 local Moran": _moran,
    },
    "hotspot-scan": {
        "聚集区 cluster": lambda r: f"{r['cluster']} 号",
        "报告 / 期望 reports / expected": lambda r: f"{r['observed']:,.0f} / {figure(r['expected'])}",
        "相对风险 relative risk": lambda r: figure(r["relative_risk"]),
        "时段 period": _period,
        "p": lambda r: f"{chance(r['p_value'])}（Gumbel {chance(r['gumbel_p'])}）",
        "偶然重现一次需 by chance once in": lambda r: span(r["recurrence_days"]).replace("–", ""),
        "半径 radius": lambda r: f"{r['radius_m']:,.0f} m",
    },
    "hotspot-emerging": {
        "类型 pattern": lambda r: both_of(hotspot_words.trend_words(str(r["class"]))),
        "发现报告 reports": lambda r: f"{r['reports']:,.0f}",
        "趋势 trend": lambda r: f"z {figure(r['trend_z'])}, p {chance(r['trend_p'])}",
        "末期 last period": lambda r: f"z {figure(r['last_z'])}",
    },
    "hotspot-forecast": {
        "预计（人）expected": lambda r: interval(r["expected_week"], r["low"], r["high"]),
        "状态 state": _state,
    },
    "hotspot-release": {"发现人次\npeople found": _published},
}
