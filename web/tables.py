"""Coverage as files for other programs: a workbook for readers, a GeoPackage for a desktop GIS."""

from pathlib import Path

import geopandas as gpd
import pandas as pd

from gis.file_writing import write_layers
from web import drawing, qgis_styles, workbook
from web.drawing import CoverageDrawing, Drawing, both

#: Cells of one sheet beyond which rows stay in the GeoPackage: a workbook is for reading.
MAX_CELLS = 400_000
_WEEKDAYS = ("一 Mon", "二 Tue", "三 Wed", "四 Thu", "五 Fri", "六 Sat", "日 Sun")
_SHEETS = {
    "gaps": "最长缺口 Gaps",
    "hours": "时段 Hours",
    "points": "服务点 Points",
    "inequality": "公平性 Inequality",
    "lorenz": "洛伦兹曲线 Lorenz",
    "roster": "名册缺岗 Roster",
}


def coverage_workbook(what: CoverageDrawing, path: Path) -> None:
    """Write a coverage result as XLSX: summary, areas, gaps, hours, points, segments, inequality, roster, notes.

    Headings in Chinese and English, times in minutes, streets in km, shares in percent. Rows too many for a sheet (grid
    cells, then segments) are left to the GeoPackage, and the notes say so. The same input gives the same bytes.
    """
    left_out: list[tuple[str, str]] = []
    sheets = {"区域 Areas": _areas_sheet(what, left_out)}
    for name, title in _SHEETS.items():
        if name in what.tables and len(what.tables[name]):
            sheets[title] = readable(tiers_that_fit(what.tables[name], title, left_out))
    add_segments(sheets, what, left_out)
    notes = pd.DataFrame([*what.notes, *left_out], columns=["zh", "en"])
    workbook.write({"摘要 Summary": _summary(what), **sheets, "说明 Notes": notes}, path)


def coverage_package(what: CoverageDrawing, path: Path) -> None:
    """Write a coverage result as a GeoPackage that QGIS opens in colour.

    Layers: areas (the tier asked for), segments, points (withheld ones flagged), and areas_<tier> for the others. The
    same input gives the same bytes.
    """
    layers: dict[str, pd.DataFrame] = {"areas": _with_shares(what, what.at_level(what.level))}
    layers["segments"] = what.segments
    if len(what.points):
        layers["points"] = what.points
    for level in drawing.LEVELS:
        areas = what.at_level(level)
        if level != what.level and len(areas):
            layers[f"areas_{level}"] = _with_shares(what, areas)
    write_layers(layers, path)
    styles = {name: qgis_styles.areas(what) for name in layers if name.startswith("areas")}
    qgis_styles.embed(path, {**styles, "segments": qgis_styles.segments(what)}, "coverage")


def _with_shares(what: CoverageDrawing, areas: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return areas.assign(
        **{f"share_{t}": drawing.shares(areas, what.measure, t) for t in what.thresholds_s},
    )


def _areas_sheet(what: CoverageDrawing, left_out: list[tuple[str, str]]) -> pd.DataFrame:
    table = pd.DataFrame(what.areas.drop(columns=what.areas.geometry.name))
    for t in what.thresholds_s:
        for measure in ("people", "street"):
            table[f"share_{measure}_{t}"] = drawing.shares(table, measure, t)
    return readable(tiers_that_fit(table, "区域 Areas", left_out))


def add_segments(sheets: dict[str, pd.DataFrame], what: Drawing, left_out: list[tuple[str, str]]) -> None:
    """Add the sheet of segments, or a remark that they are too many for one."""
    segments = readable(pd.DataFrame(what.segments.drop(columns=what.segments.geometry.name)))
    if segments.size <= MAX_CELLS:
        sheets["路段 Segments"] = segments
    else:
        count = f"{len(segments):,}"
        left_out.append((f"{count} 个路段见 GeoPackage", f"{count} segments are in the GeoPackage"))


def tiers_that_fit(table: pd.DataFrame, title: str, left_out: list[tuple[str, str]]) -> pd.DataFrame:
    """Keep a table's rows, from the coarsest tier down, while they fit on one sheet; note what is left out."""
    if table.size <= MAX_CELLS or "level" not in table:
        return table
    kept, rows = [], 0
    for level in drawing.LEVELS:
        of_level = table[table["level"] == level]
        rows += len(of_level)
        if rows * len(table.columns) <= MAX_CELLS:
            kept.append(of_level)
        elif len(of_level):
            zh, en = drawing.LEVEL_NAMES[level]
            left_out.append(
                (
                    f"{title}：{zh}级 {len(of_level):,} 行过多，见 GeoPackage 或 --json",
                    f"{title}: {len(of_level):,} rows by {en} are too many here; see the GeoPackage or --json",
                )
            )
    return pd.concat(kept, ignore_index=True)


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with levels, weekdays and roles in words."""
    words = {}
    if "level" in table:
        words["level"] = table["level"].map({k: both(v) for k, v in drawing.LEVEL_NAMES.items()}).fillna(table["level"])
    if "weekday" in table:
        words["weekday"] = table["weekday"].map(dict(enumerate(_WEEKDAYS)))
    if "missing" in table:
        roles = {k: both(v) for k, v in drawing.ROLE_NAMES.items()}
        words["missing"] = table["missing"].map(roles).fillna(table["missing"])
    return table.assign(**words)


def _summary(what: CoverageDrawing) -> pd.DataFrame:
    """Return the first sheet: what was asked, of which data, and how much is covered over the whole city."""
    totals = what.totals
    facts = [
        *asked_and_sources(what),
        ("人口 People", f"{totals['people'].sum():,.0f}"),
        ("街面（公里）Streets (km)", f"{totals['street_m'].sum() / 1000:,.1f}"),
    ]
    for t in what.thresholds_s:
        for column, whole, said in (
            (f"covered_people_{t}", "people", "人口 people"),
            (f"covered_street_m_{t}", "street_m", "街面 streets"),
        ):
            total = float(totals[whole].sum())
            share = f"{totals[column].sum() / total:.1%}" if total > 0 else ""
            facts.append((f"{drawing.minutes(t)} 分钟内 within {drawing.minutes(t)} min：{said}", share))
    return facts_sheet(facts)


def asked_and_sources(what: Drawing) -> list[tuple[str, str]]:
    """Return what every summary begins with: the city, what was asked, of which data, the warnings."""
    return [
        ("城市 City", what.city),
        ("问题 Question", both(what.question)),
        ("数据日期 Data of", what.data_date),
        *(("注意 Note", both(flag)) for flag in what.flags),
        ("数据来源 Sources", what.attribution),
        ("审图号 Map approval number", what.approval_number),
    ]


def facts_sheet(facts: list[tuple[str, str]]) -> pd.DataFrame:
    """Return a sheet of facts, those without a value left out."""
    return pd.DataFrame([f for f in facts if f[1]], columns=["项目 Item", "内容 Value"])
