"""Which views each kind of run about hotspots offers, of cells and of streets."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from web import hotspot_words
from web.hotspot_classes import (
    COLD_COLOUR,
    COOL,
    GROUND_COLOUR,
    HATCH_COLOUR,
    HOT_COLOUR,
    INK,
    MAYBE_COLOUR,
    NONE_COLOUR,
    NOWHERE,
    WARM,
    Floats,
    Ints,
    Look,
    View,
    class_of,
    round_edges,
    scale,
)
from web.hotspot_drawing import HotspotDrawing
from web.hotspot_words import LEVEL, RATE, STATE_NAMES, Words, trend_words

#: What a release counts: people, as often as they were found.
FINDS = ("发现人次（已取整）", "people found, counted each time, rounded")
_CORRECTED = (
    "看与未看分开：斜线处无人去看，不等于没有人。",
    "Hatched: nobody looked there, which does not mean nobody is there.",
)
_RAW = ("未按巡查多少校正：看得多处报告也多。", "Not corrected for effort: where more looked, more is reported.")
_TREND_COLOURS = {
    "new": "#d62728", "consecutive": "#ff7f0e", "intensifying": "#8c0d25", "persistent": "#c2507a",
    "diminishing": "#e7a6b8", "sporadic": "#f2c879", "oscillating": "#b79f3a", "historical": "#8a7a66",
}  # fmt: skip
_COLD_COLOURS = {
    "new": "#2171b5", "consecutive": "#4292c6", "intensifying": "#08306b", "persistent": "#6a51a3",
    "diminishing": "#b7b5dc", "sporadic": "#9ecae1", "oscillating": "#74a9a4", "historical": "#aab7c0",
}  # fmt: skip
#: Clusters by number, the likeliest first (Okabe and Ito, safe for all eyes).
CLUSTER_COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#666666")


def views_of(what: HotspotDrawing) -> list[View]:
    """Return the views of a run's cells, the one to open on first."""
    return _VIEWS[what.kind](what)


def street_view(what: HotspotDrawing) -> View | None:
    """Return the view of a run's segments; None where they bear no figures."""
    if what.kind == "hotspot-map":
        density = what.segments["density_km"].to_numpy(float)
        edges = round_edges(density)
        return View(
            ("街面密度", "street density"),
            ("发现报告密度（起/公里街面）", "discovery reports per km of street in the period (network kernel)"),
            tuple(scale(edges, INK)),
            class_of(density, edges),
            _RAW,
        )
    if what.kind == "hotspot-forecast":
        per_minute = what.segments["per_minute"].to_numpy(float) * 60
        edges = round_edges(per_minute)
        looks = [Look(HATCH_COLOUR, STATE_NAMES["unknown"], hatched=True), *scale(edges, INK)]
        of = np.where(_is(what.segments, "unknown"), 0, class_of(per_minute, edges) + 1)
        return View(
            ("街面", "streets"), ("每小时巡查预计发现（人）", "people found per hour of patrol, expected"),
            tuple(looks), of, ("灰线处近来无人去看。", "Grey: nobody looked there lately."),
        )  # fmt: skip
    return None


def _is(table: pd.DataFrame, state: str) -> NDArray[np.bool_]:
    return table["state"].eq(state).to_numpy(bool)


def _by_rate(name: Words, heading: Words, table: pd.DataFrame, column: str) -> View:
    """Return the view of a rate: hatched where nobody looked, pale where nothing was found, else in classes."""
    rate = table[column].to_numpy(float)
    unknown, none = _is(table, "unknown"), _is(table, "none")
    edges = round_edges(rate[~unknown & ~none])
    looks = (
        Look(GROUND_COLOUR, STATE_NAMES["unknown"], hatched=True),
        Look(NONE_COLOUR, STATE_NAMES["none"]),
        *scale(edges, WARM),
    )
    # found off every street, a rate is as little known as where nobody looked
    of = np.where(unknown | np.isnan(rate), 0, np.where(none, 1, class_of(rate, edges) + 2))
    return View(name, heading, looks, of, _CORRECTED)


def _map_views(what: HotspotDrawing) -> list[View]:
    cells = what.cells
    reports, walked = cells["reports"].to_numpy(float), cells["walked_km"].to_numpy(float)
    return [
        _by_rate(("校正后", "corrected"), (f"每格{RATE[0]}", f"{RATE[1]}, by cell"), cells, "rate_week"),
        _counted(("原始报告", "raw reports"), ("发现报告（起）", "discovery reports in the period"), reports),
        _significance(cells),
        _walked(walked, cells),
    ]


def _counted(name: Words, heading: Words, reports: Floats) -> View:
    edges = round_edges(reports, whole=True)
    looks = (Look(NONE_COLOUR, ("无报告", "no reports")), *scale(edges, WARM, whole=True))
    return View(name, heading, looks, np.where(reports > 0, class_of(reports, edges) + 1, 0), _RAW)


def _significance(cells: pd.DataFrame) -> View:
    z, p, q = (cells[name].to_numpy(float) for name in ("gi_z", "gi_p", "gi_q"))
    hot = cells["hot"].to_numpy(bool)
    cold = (q <= LEVEL) & (z < 0)
    of = np.where(hot, 3, np.where((p <= LEVEL) & (z > 0), 2, np.where(cold, 0, 1)))
    of = np.where(np.isnan(z), 4, of)
    looks = (
        Look(COLD_COLOUR, ("显著冷点", "significant cold spot")),
        Look(NONE_COLOUR, ("不显著", "not significant")),
        Look(MAYBE_COLOUR, ("校正前显著", "only before correction")),
        Look(HOT_COLOUR, ("显著热点", "significant hot spot")),
        Look(GROUND_COLOUR, STATE_NAMES["unknown"], hatched=True),
    )
    return View(
        ("显著性 Gi*", "significance Gi*"),
        ("聚集是否超出偶然（Gi*）", "more than chance? local clusters, Gi*"),
        looks,
        of,
        (
            f"已校正多重检验（错误发现率 {LEVEL:.0%}）。",
            f"Corrected for many tests (false discovery rate {LEVEL:.0%}).",
        ),
    )


def _walked(walked: Floats, cells: pd.DataFrame) -> View:
    edges = round_edges(walked)
    unknown = _is(cells, "unknown")
    looks = (Look(GROUND_COLOUR, ("未巡查", "not looked"), hatched=True), *scale(edges, COOL))
    return View(
        ("巡查量", "effort"), ("巡查走过的街面（公里）", "km of street walked on patrol in the period"), looks,
        np.where(unknown, 0, class_of(walked, edges) + 1),
    )  # fmt: skip


def _scan_views(what: HotspotDrawing) -> list[View]:
    clusters = what.tables["clusters"]
    looks = []
    for i, row in enumerate(clusters.to_dict("records")):
        p = hotspot_words.chance(row["p_value"])
        sure_zh, sure_en = ("显著", "significant") if row["significant"] else ("不显著", "not significant")
        said = f"{row['observed']:,.0f} / {hotspot_words.figure(row['expected'])}"
        words = (f"{row['cluster']} 号：{said}，p {p} {sure_zh}", f"p {p}, {sure_en}")
        colour = CLUSTER_COLOURS[i % len(CLUSTER_COLOURS)] if row["significant"] else "#b5b5b5"
        looks.append(Look(colour, (words[0], sure_en)))
    order = {number: i for i, number in enumerate(clusters["cluster"])}
    of = what.cells["cluster"].map(order).fillna(NOWHERE).to_numpy(np.int64) if len(what.cells) else np.empty(0, int)
    return [
        View(
            ("聚集区", "clusters"),
            ("聚集区：报告 / 期望（起）", "clusters: reports / expected"),
            tuple(looks),
            of,
            (
                "p 为随机重排得出的机会，已校正多处查找。",
                "p is the chance under random relabelling, corrected for looking everywhere.",
            ),
        )
    ]


def _emerging_views(what: HotspotDrawing) -> list[View]:
    cells = what.cells
    named = cells["class"].fillna("none").astype(str)
    names = [n for n in _trend_order() if (named == n).any()]
    names += sorted(set(named) - set(names) - {"none", ""})
    looks = [Look(NONE_COLOUR, trend_words("none"))] + [Look(_trend_colour(n), trend_words(n)) for n in names]
    of = named.map({n: i + 1 for i, n in enumerate(names)}).fillna(0).to_numpy(np.int64)
    kinds = View(
        ("演变类型", "pattern"), ("热点演变类型", "how hot spots came and went"), tuple(looks), of,
        ("“加剧、减弱”由各期 z 的趋势检验得出。", "Intensifying and diminishing rest on a trend test of z."),
    )  # fmt: skip
    labels, hot, reports = by_step(what)
    steps = View(
        ("逐期", "step by step"), ("各期热点", "hot spots of each period"),
        (Look(NONE_COLOUR, ("非热点", "not hot")), Look(HOT_COLOUR, ("热点", "hot spot"))),
        hot.astype(np.int64), steps=tuple(labels),
    )  # fmt: skip
    edges = round_edges(reports.ravel().astype(float), whole=True)
    counted = np.where(reports > 0, class_of(reports.astype(float), edges) + 1, 0)
    looks_reports = (Look(NONE_COLOUR, ("无报告", "no reports")), *scale(edges, WARM, whole=True))
    counts = View(
        ("逐期报告", "reports by step"), ("各期发现报告（起）", "discovery reports of each period"),
        looks_reports, counted, _RAW, tuple(labels),
    )  # fmt: skip
    return [kinds, steps, counts]


def by_step(what: HotspotDrawing) -> tuple[list[str], NDArray[np.bool_], Ints]:
    """Return the labels of the steps, and (steps, cells) which cells were hot and how many reports they had."""
    table = what.tables["steps"]
    steps = sorted(table["step"].astype(str).unique())
    place = pd.MultiIndex.from_arrays([what.cells["column"], what.cells["row"]])
    at = place.get_indexer(pd.MultiIndex.from_arrays([table["column"], table["row"]]))
    when = table["step"].astype(str).map({step: i for i, step in enumerate(steps)}).to_numpy(np.int64)
    known = at >= 0
    hot, reports = np.zeros((len(steps), len(place)), bool), np.zeros((len(steps), len(place)), np.int64)
    hot[when[known], at[known]] = table["hot"].to_numpy(bool)[known]
    reports[when[known], at[known]] = np.nan_to_num(table["reports"].to_numpy(float)[known]).astype(np.int64)
    return [step_label(step, str(what.summary.get("step", ""))) for step in steps], hot, reports


def step_label(step: str, kind: str) -> str:
    """Name a step by its first day: 2026-04, 2026 Q2."""
    if kind == "quarter":
        return f"{step[:4]} Q{(int(step[5:7]) + 2) // 3}"
    return {"year": step[:4], "month": step[:7]}.get(kind, step[:10])


def _trend_order() -> list[str]:
    hot = list(hotspot_words.TREND_NAMES)
    return [*hot, *(f"cold {name}" for name in hot), *(f"cold_{name}" for name in hot)]


def _trend_colour(name: str) -> str:
    bare = name.removeprefix("cold").strip(" _-")
    return (_COLD_COLOURS if name.startswith("cold") else _TREND_COLOURS).get(bare, "#999999")


def _forecast_views(what: HotspotDrawing) -> list[View]:
    heading = ("每格预计发现（人，这一周）", "people expected to be found in the week, by cell")
    return [_by_rate(("预计发现", "expected"), heading, what.cells, "expected_week")]


def _release_views(what: HotspotDrawing) -> list[View]:
    """Return a view for each tier, the finest first; all share their classes."""
    cells = what.cells
    number = cells["reports"].to_numpy(float)
    levels = list(dict.fromkeys(cells["level"].astype(str)))
    views = []
    for level in levels:
        own = cells["level"].astype(str).eq(level).to_numpy()
        edges = _edges_shown(number[own])
        withheld = np.isnan(number)
        looks = [Look(GROUND_COLOUR, hotspot_words.WITHHELD, hatched=True), *_shown_scale(edges, number[own])]
        of = np.where(withheld, 0, class_of(number, edges) + 1)
        zh, en = tier_words(level)
        views.append(
            View(
                (zh, en), FINDS, tuple(looks),
                np.where(own, of, NOWHERE), release_rules(what),
            )
        )  # fmt: skip
    sizes = [int((view.of != NOWHERE).sum()) for view in views]
    return [views[i] for i in np.argsort([-size for size in sizes], kind="stable")]


def _edges_shown(number: Floats) -> Floats:
    """Return upper ends of classes of published numbers: none below the least there is."""
    edges = round_edges(number, whole=True)
    shown = number[~np.isnan(number) & (number > 0)]
    if not len(shown):
        return edges
    kept = edges[edges >= shown.min()]
    return kept if len(kept) else np.array([shown.min()])


def _shown_scale(edges: Floats, number: Floats) -> list[Look]:
    """Return the classes of published numbers, the first beginning with the least there is."""
    shown = number[~np.isnan(number) & (number > 0)]
    if not len(shown):
        return []
    first, *others = scale(edges, WARM, whole=True)
    least = f"{shown.min():,.0f}"
    return [Look(first.colour, (least if shown.min() >= edges[0] else f"{least}–{edges[0]:,.0f}", "")), *others]


def tier_words(level: str) -> Words:
    """Name a tier of a release."""
    from web.drawing import LEVEL_NAMES

    return LEVEL_NAMES.get(level, {"cells": ("格子", "cell"), "city": ("全市", "city")}.get(level, (level, level)))


def release_rules(what: HotspotDrawing) -> Words:
    """Say by which rules numbers were made fit for everyone."""
    if what.notes:
        return "。".join(zh for zh, _ in what.notes) + "。", "; ".join(en for _, en in what.notes) + "."
    facts = what.summary
    least = f"{facts.get('least', 10):g}"
    noise = facts.get("epsilon")
    zh = f"只公开不少于 {least} 起的数，取整，按季度，迟后公布"
    en = f"numbers of {least} or more only, rounded, by quarter, published with a delay"
    if noise is not None and noise == noise:
        zh += f"；加随机噪声（ε = {noise:g}）"
        en += f"; with random noise (ε = {noise:g})"
    return zh + "。不含道路与单个地点。", en + ". No roads and no single places."


_VIEWS: Mapping[str, Callable[[HotspotDrawing], list[View]]] = {
    "hotspot-map": _map_views,
    "hotspot-scan": _scan_views,
    "hotspot-emerging": _emerging_views,
    "hotspot-forecast": _forecast_views,
    "hotspot-release": _release_views,
}
