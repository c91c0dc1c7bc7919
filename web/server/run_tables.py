"""The tables of a run's page, in words and figures, and two siting plans side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from layers.run import Run
from layers.store import Store
from planner.siting.quantities import unit_words
from web import siting_words
from web.drawing import MODE_NAMES, minutes
from web.hotspot_drawing import hotspot_drawing
from web.hotspot_facts import area_names
from web.hotspot_words import WEATHER_NAMES, figure, interval, method_words, named, percent
from web.patrol_words import km
from web.server.language import _, said
from web.server.run_maps import rate_of
from web.server.run_words import quantity, shift
from web.siting_drawing import place_of, runner_up_of

#: Rows of a page's table; all of them are in the files.
MOST_ROWS = 60


@dataclass(frozen=True, slots=True)
class Table:
    """A table as shown: the first column heads each row. more : rows that are in the files alone."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    more: int = 0


def tables_of(store: Store, run: Run, level: str) -> list[Table]:
    """Return the tables that tell what came out; level : the tier of areas. Empty ones are left out.

    store : as its reader may see the city, for the names of the areas around cells.
    """
    if run.kind == "hotspot-forecast":
        found = _forecast(store, run)
    else:
        found = _TABLES.get(run.kind, lambda run, level: [])(run, level)
    return [table for table in found if table.rows]


def compared(a: Run, b: Run) -> Table:
    """Return two siting runs and what the second has more than the first."""
    rows = []
    plans = [run.tables["plan"].iloc[0] for run in (a, b)]
    reached = [_reached(run) for run in (a, b)]
    for words, values in (
        (_("新增几个点"), [plan["opened"] for plan in plans]),
        (_("关闭几个点"), [plan["closed"] for plan in plans]),
        (_("费用"), [plan["cost"] for plan in plans]),
        *(
            (f"{words}{_('（方案后）')}", [one[words] for one in reached])
            for words in reached[0]
            if words in reached[1]
        ),
    ):
        rows.append([words, *map(_plain, values), _difference(*values)])
    sites = [{str(site["code"]): place_of(site) for site in run.tables["sites"].to_dict("records")} for run in (a, b)]
    shared = len(sites[0].keys() & sites[1].keys())
    rows.append([_("两案相同的点位"), str(shared), str(shared), ""])
    rows.append([_("只在此案的点位"), *(_listed(own, other) for own, other in (sites, sites[::-1])), ""])
    return Table(_("两个方案"), [_("项目"), _("方案一"), _("方案二"), _("相差")], rows)


def _reached(run: Run) -> dict[str, float]:
    """Return what is within reach after a plan, in people, streets and reports, over the areas its reader sees."""
    totals = run.tables["totals"]
    if not len(totals):
        areas = run.tables["areas"]
        finest = areas[areas["level"] == "subdistrict"] if (areas["level"] == "subdistrict").any() else areas
        totals = finest.select_dtypes("number").sum().to_frame().T
    row = totals.iloc[0]
    limit = minutes(run.parameters["limit_s"])
    return {
        _("%(limit)s 分钟内可达人口", limit=limit): float(row["people_after"]),
        _("%(limit)s 分钟内可达街面（公里）", limit=limit): float(row["street_m_after"]) / 1000,
    }


def _plain(value: float) -> str:
    return f"{value:,.0f}" if np.isfinite(value) else "–"


def _more(value: float) -> str:
    return f"{value:+,.0f}" if f"{value:.0f}".strip("-") != "0" else "0"


def _difference(a: float, b: float) -> str:
    return _more(b - a) if np.isfinite(a) and np.isfinite(b) else "–"


def _listed(own: Mapping[str, str], other: Mapping[str, str]) -> str:
    shown = [place for code, place in own.items() if code not in other]
    return "；".join(shown[:12]) + ("…" if len(shown) > 12 else "") or "–"


def _siting(run: Run, level: str) -> list[Table]:
    plan, sites = run.tables["plan"].iloc[0], run.tables["sites"].sort_values("rank")
    unit = str(plan.get("worth_unit", plan["unit"]))
    rows = [
        [
            f"{site['rank']:.0f}", place_of(site), said(siting_words.ACTION_NAMES.get(site["action"], ("", ""))),
            quantity(site["adds_last"], unit), _plain(site["cost"]), runner_up_of(site),
            percent(site["steady"]) if np.isfinite(site["steady"]) else "",
        ]
        for site in sites.to_dict("records")
    ]  # fmt: skip
    adds = f"{_('它带来的')}（{said(unit_words(unit))}）"
    headings = [_("名次"), _("位置"), _("措施"), adds, _("费用"), _("次选"), _("需求变动时仍最佳")]
    return [
        _cut(_("变动的点位"), headings, rows),
        _before_after(run, level),
        _frontier(run),
    ]


def _before_after(run: Run, level: str) -> Table:
    areas = _tier(run, level)
    column = "people" if np.nansum(areas["people"]) > 0 else "street_m"
    parts = areas.assign(gain=areas[f"{column}_after"] - areas[f"{column}_before"])
    parts = parts.sort_values(["gain", "code"], ascending=[False, True], kind="stable")
    unit = 1.0 if column == "people" else 1000.0
    rows = [
        [str(row["name"]), _plain(row[column] / unit), percent(row[f"{column}_before"], row[column]),
         percent(row[f"{column}_after"], row[column]), _more(row["gain"] / unit)]
        for row in parts.to_dict("records")
    ]  # fmt: skip
    whom = _("人口") if column == "people" else _("街面（公里）")
    return _cut(_("各辖区前后"), [_("辖区"), whom, _("方案前可达"), _("方案后可达"), _("增减")], rows)


def _frontier(run: Run) -> Table:
    unit = str(run.tables["plan"].iloc[0]["unit"])
    rows = [
        [_plain(step["cost"]), _plain(step["count"]), quantity(step["value"], unit), said(siting_words.gap(step))]
        for step in run.tables["frontier"].to_dict("records")
    ]
    return _cut(_("逐档权衡"), [_("费用"), _("点数"), f"{_('目标值')}（{said(unit_words(unit))}）", _("把握")], rows)


def _coverage(run: Run, level: str) -> list[Table]:
    areas, limits = _tier(run, level), [int(t) for t in run.parameters["thresholds_s"]]
    column = "people" if np.nansum(areas["people"]) > 0 else "street_m"
    worst = areas.assign(share=areas[f"covered_{column}_{limits[-1]}"] / areas[column].where(areas[column] > 0))
    rows = [
        [str(row["name"]), _plain(row["people"]), *(percent(row[f"covered_{column}_{t}"], row[column]) for t in limits)]
        for row in worst.sort_values(["share", "code"], kind="stable").to_dict("records")
    ]
    return [_cut(_("各辖区覆盖，最差的在前"), [_("辖区"), _("人口"), *(f"≤{minutes(t)} min" for t in limits)], rows)]


def _patrol(run: Run, level: str) -> list[Table]:
    crews = run.tables["crews"]
    rows = [
        [str(crew["crew"]), str(crew["date"])[5:], str(crew["persons"]), shift(crew), f"{crew['services']:,.0f}",
         km(crew["walked_m"]), said(MODE_NAMES.get(str(crew["mode"]), ("", "")))]
        for crew in crews.to_dict("records")
    ]  # fmt: skip
    headings = [_("班组"), _("日期"), _("人员"), _("班次"), _("任务"), _("路程"), _("方式")]
    left = [
        [said((str(own["zh"].iloc[0]), str(own["en"].iloc[0]))), f"{len(own):,}", km(own["metres"].sum())]
        for _code, own in run.tables["uncovered"].groupby("code", sort=True)
    ]
    return [_cut(_("班组和路线"), headings, rows), _cut(_("排不下的任务"), [_("原因"), _("任务"), _("街面")], left)]


def _map(run: Run, level: str) -> list[Table]:
    areas = _tier(run, level)
    order = areas.sort_values(["rate_week", "code"], ascending=[False, True], kind="stable", na_position="last")
    rows = [
        [str(row["name"]), rate_of(row), figure(row["rate_km_week"]), f"{row['reports']:,.0f}",
         f"{row['patrol_reports']:,.0f}", figure(row["walked_km"], 3)]
        for row in order.to_dict("records")
    ]  # fmt: skip
    headings = [
        _("辖区"), _("每周可遇到（九成区间）"), _("每公里"), _("发现报告"), _("其中巡查发现"), _("巡查走过（公里）"),
    ]  # fmt: skip
    return [_cut(_("各辖区热度"), headings, rows)]


def _forecast(store: Store, run: Run) -> list[Table]:
    what = hotspot_drawing(store, run)
    cells = pd.DataFrame(what.cells.drop(columns="geometry")).assign(area=area_names(what))
    order = cells[cells["state"] != "unknown"].sort_values("expected_week", ascending=False, kind="stable")
    rows = [
        [f"{i}", row["area"], interval(row["expected_week"], row["low"], row["high"])]
        for i, row in enumerate(order.head(20).to_dict("records"), 1)
    ]
    by_area = cells.assign(unknown=cells["state"] == "unknown").groupby("area", sort=False)
    areas = by_area.agg(expected=("expected_week", "sum"), cells=("area", "size"), unknown=("unknown", "sum"))
    areas = areas[areas.index != ""].sort_values("expected", ascending=False, kind="stable")
    of_areas = [
        [str(name), figure(row.expected, 3), f"{row.cells:,}", f"{row.unknown:,}"]
        for name, row in zip(areas.index, areas.itertuples(index=False), strict=True)
    ]
    weather = [
        [said(named(WEATHER_NAMES, row["weather"])), figure(row["factor"], 3), _plain(row["days"])]
        for row in run.tables["weather"].to_dict("records")
        if row["days"] > 0
    ]
    return [
        _cut(_("各辖区这一周"), [_("辖区"), _("预计发现"), _("格数"), _("其中不明的格")], of_areas),
        Table(_("最可能有发现的 20 格"), [_("名次"), _("所在辖区"), _("预计发现（区间）")], rows),
        Table(_("天气的影响"), [_("天气"), _("倍数"), _("天数")], weather),
    ]


def _backtest(run: Run, level: str) -> list[Table]:
    rows = [
        [said(method_words(str(row["method"]))), figure(row["pai"], 3), percent(row["hit_rate"]), figure(row["pei"]),
         figure(row["log_score"], 3), interval(row["pai_difference"], row["pai_low"], row["pai_high"])]
        for row in run.tables["summary"].to_dict("records")
    ]  # fmt: skip
    headings = [_("方法"), "PAI", _("命中率"), "PEI", _("对数得分"), _("本方法的 PAI 高出（95% 区间）")]
    return [Table(_("各种方法的平均表现"), headings, rows), months_of(run)]


def months_of(run: Run) -> Table:
    """Return PAI by month and method: what the chart of a backtest draws."""
    table = run.tables["months"]
    methods = [str(m) for m in run.tables["summary"]["method"]]
    by = table.assign(origin=table["origin"].astype(str).str[:7], method=table["method"].astype(str))
    wide = by.pivot_table(index="origin", columns="method", values="pai", aggfunc="mean").reindex(columns=methods)
    months = zip(wide.index, wide.to_numpy(float), strict=True)
    rows = [[str(month), *(figure(value, 2) for value in row)] for month, row in months]
    return Table(_("各月预测准确度 PAI"), [_("月份"), *(said(method_words(m)) for m in methods)], rows)


_TABLES: Mapping[str, Callable[[Run, str], list[Table]]] = {
    "siting": _siting, "coverage": _coverage, "patrol": _patrol, "hotspot-map": _map, "hotspot-backtest": _backtest,
}  # fmt: skip


def _tier(run: Run, level: str) -> pd.DataFrame:
    areas = run.tables["areas"]
    return areas[areas["level"].astype(str) == level]


def _cut(caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table without columns that hold nothing, cut to what a page shows."""
    used = [i for i in range(len(headings)) if any(row[i] not in ("", "–") for row in rows)]
    shown = [[row[i] for i in used] for row in rows[:MOST_ROWS]]
    return Table(caption, [headings[i] for i in used], shown, max(len(rows) - MOST_ROWS, 0))
