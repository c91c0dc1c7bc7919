"""A run about hotspots as a workbook: what it adds up to first, then every table in words."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import shapely

from web import hotspot_words, workbook
from web.drawing import both
from web.hotspot_drawing import HotspotDrawing, best_first
from web.hotspot_facts import area_names
from web.hotspot_totals import totals
from web.hotspot_words import both_of, method_words, said, trend_words
from web.tables import MAX_CELLS, asked_and_sources, facts_sheet, readable, tiers_that_fit

#: Table of a run -> title of its sheet, in the order a reader wants them.
SHEETS = {
    "clusters": "聚集区 Clusters",
    "areas": "辖区 Areas",
    "cells": "格子 Cells",
    "segments": "路段 Segments",
    "members": "所属格子 Members",
    "steps": "逐期 Steps",
    "profile": "时刻 Hours",
    "weather": "天气 Weather",
    "months": "逐月 Months",
    "calibration": "校准 Calibration",
    "weights": "权重 Weights",
}
_CALIBRATION = {
    "mean": "按预计分组 by expected finds",
    "pit": "概率积分变换 PIT",
    "interval": "区间 intervals",
}


def hotspot_workbook(what: HotspotDrawing, path: Path) -> None:
    """Write a run about hotspots as XLSX: summary, its tables with headings in Chinese and English, notes.

    Of a table too long for a sheet the first rows are kept, the most telling first, and the notes say so. The same
    input gives the same bytes.
    """
    left_out: list[tuple[str, str]] = []
    sheets = {"摘要 Summary": facts_sheet([*asked_and_sources(what), *totals(what)])}
    if what.kind == "hotspot-backtest":
        sheets["方法 Methods"] = _in_words(what.tables["summary"].drop(columns="crs", errors="ignore"))
    for name, title in SHEETS.items():
        if name in what.tables and len(what.tables[name]):
            sheets[title] = _that_fits(_SHEET.get(name, _plain)(what, name), name, title, left_out)
    notes = pd.DataFrame([*what.notes, *left_out], columns=["zh", "en"])
    workbook.write({**sheets, "说明 Notes": notes}, path)


def _plain(what: HotspotDrawing, name: str) -> pd.DataFrame:
    return _in_words(what.tables[name].drop(columns="geometry", errors="ignore"))


def _segments(what: HotspotDrawing, name: str) -> pd.DataFrame:
    """Return the segments with their names, in the order of ``best_first``."""
    table = best_first(pd.DataFrame(what.segments.drop(columns="geometry")))
    named = {"street": table.pop("name"), "per_hour": table["per_minute"] * 60}
    front = ["segment_id", "street"]
    table = table.assign(**named)
    return _in_words(table[[*front, *[c for c in table if c not in front]]])


def _cells(what: HotspotDrawing, name: str) -> pd.DataFrame:
    """Return the cells with the area around them and where their middles lie."""
    table = pd.DataFrame(what.cells.drop(columns="geometry"))
    middle = shapely.centroid(what.cells.geometry.to_numpy())
    placed = {"area_name": area_names(what), "lon": shapely.get_x(middle), "lat": shapely.get_y(middle)}
    front = [c for c in ("unit", "column", "row") if c in table]
    table = table.assign(**placed)
    table = table[[*front, *placed, *[c for c in table if c not in (*front, *placed)]]]
    by = next((c for c in ("rate_week", "expected_week", "last_z") if c in table), None)
    if by is not None:
        table = table.sort_values([by, "column", "row"], ascending=[False, True, True], kind="stable")
    return _in_words(table)


def _areas(what: HotspotDrawing, name: str) -> pd.DataFrame:
    left_out: list[tuple[str, str]] = []
    return _in_words(readable(tiers_that_fit(what.tables[name], SHEETS[name], left_out)))


def _profile(what: HotspotDrawing, name: str) -> pd.DataFrame:
    return readable(what.tables[name])


_Sheet = Callable[[HotspotDrawing, str], pd.DataFrame]
_SHEET: dict[str, _Sheet] = {"segments": _segments, "cells": _cells, "areas": _areas, "profile": _profile}


def _in_words(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with states, classes, methods and weather in words."""
    words: dict[str, pd.Series] = {}
    for column, names in (
        ("state", hotspot_words.STATE_NAMES), ("weather", hotspot_words.WEATHER_NAMES),
        ("moran_class", hotspot_words.MORAN_NAMES),
    ):  # fmt: skip
        if column in table:
            words[column] = table[column].map(lambda key, n=names: "" if key in ("", None) else said(n, key))
    if "class" in table:
        pattern = table["class"].map(lambda key: both_of(trend_words(str(key))))
        table = table.rename(columns={"class": "pattern"})
        words["pattern"] = pattern
    if "method" in table:
        words["method"] = table["method"].map(lambda key: both_of(method_words(str(key))))
    if "kind" in table:
        words["kind"] = table["kind"].map(_CALIBRATION).fillna(table["kind"])
    return table.assign(**words)


def _that_fits(table: pd.DataFrame, name: str, title: str, left_out: list[tuple[str, str]]) -> pd.DataFrame:
    """Return the first rows that fit on a sheet, and note how many are left to the GeoPackage."""
    rows = MAX_CELLS // max(len(table.columns), 1)
    if len(table) <= rows:
        return table
    all_, kept = f"{len(table):,}", f"{rows:,}"
    left_out.append(
        (
            f"{title}：共 {all_} 行，只列前 {kept} 行，其余见 GeoPackage 或 --json",
            f"{title}: the first {kept} of {all_} rows; the rest is in the GeoPackage or --json",
        )
    )
    return table.iloc[:rows]


def release_table(what: HotspotDrawing) -> pd.DataFrame:
    """Return a release as a table for everyone: unit, name, tier, quarter, number and margin, or that it is withheld.

    Why a number is withheld is not told: that alone would say that it is small.
    """
    cells = what.cells
    shown = cells["reports"].to_numpy(float)
    named = dict(zip(what.areas["code"].astype(str), what.areas["name"].astype(str), strict=True))
    units = cells["unit"].astype(str)
    margin = cells["margin"].to_numpy(float) if "margin" in cells else np.full(len(cells), np.nan)
    table = {
        "unit": units,
        "name": [n or named.get(u, "") for n, u in zip(cells["name"].fillna("").astype(str), units, strict=True)],
        "level": cells["level"].astype(str),
        "quarter": str(what.summary.get("quarter", "")),
        "people": pd.array(np.where(np.isnan(shown), None, shown), "Int64"),
        "margin": pd.array(np.where(np.isnan(margin), None, margin), "Float64"),
        "withheld": np.isnan(shown),
        "source": " · ".join([*(both(flag) for flag in what.flags), *filter(None, [what.attribution])]),
    }
    return pd.DataFrame(table)


def release_csv(what: HotspotDrawing, path: Path) -> None:
    """Write a release as CSV, UTF-8 with the mark that spreadsheets need; numbers withheld are blank."""
    table = release_table(what)
    # a spreadsheet must not take a name for a formula
    table["name"] = table["name"].map(lambda text: f"'{text}" if text.startswith(("=", "+", "-", "@")) else text)
    table["withheld"] = table["withheld"].map({True: "是 yes", False: "否 no"})
    head = {"unit": "编号 unit", "name": "名称 name", "level": "层级 level", "quarter": "季度 quarter",
            "people": "发现人次 people found", "margin": "误差 margin 95 %", "withheld": "不公开 withheld",
            "source": "来源 source"}  # fmt: skip
    text = table.rename(columns=head).to_csv(index=False, lineterminator="\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
