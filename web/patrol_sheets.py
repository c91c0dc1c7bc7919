"""Route sheets to print and hand out: an overview for the supervisor, then a sheet for every crew."""

from html import escape
from pathlib import Path

from pandas import DataFrame

from web import drawing, patrol_sheet_map, patrol_words
from web.drawing import MODE_NAMES, ROLE_NAMES, both
from web.patrol_drawing import PatrolDrawing, Route, metric
from web.patrol_sheet_map import Ground
from web.patrol_turns import Item, items
from web.patrol_words import STAR, clock, km, minutes, night, percent

#: Streets listed of what is left uncovered, for each reason.
MOST_LEFT = 24
STYLE = """
@page { size: A4; margin: 11mm 12mm 12mm; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 190mm; padding: 4mm; color: #111; font-size: 13px; line-height: 1.4;
  font-family: "Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "WenQuanYi Micro Hei",
    sans-serif; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
small, .en { color: #555; font-size: .82em; font-weight: 400; }
article { margin: 0 0 14mm; }
article + article { border-top: 2px solid #111; padding-top: 6mm; }
h1 { font-size: 22px; line-height: 1.25; margin: 0 0 1mm; } h1 small { font-size: 13px; }
h2 { font-size: 15px; margin: 5mm 0 1.5mm; break-after: avoid; }
p { margin: 0 0 1.5mm; } section { break-inside: avoid; }
.flag { display: inline-block; border: 1px solid #b06a2c; border-radius: 3px; color: #7a3000; padding: 0 5px;
  font-size: 11px; }
.head { display: flex; gap: 4mm; align-items: flex-start; }
.head .no { flex: none; min-width: 15mm; height: 15mm; border-radius: 2mm; color: #fff; font-size: 26px;
  font-weight: 700; line-height: 15mm; text-align: center; padding: 0 2mm; }
.facts { display: grid; grid-template-columns: repeat(4, 1fr); border: 1px solid #999; margin: 2.5mm 0;
  border-width: 1px 0 0 1px; }
.facts div { border: 1px solid #999; border-width: 0 1px 1px 0; padding: 1mm 2mm; min-width: 0;
  overflow-wrap: anywhere; }
.facts .wide { grid-column: span 2; }
.facts span { display: block; color: #555; font-size: 10.5px; }
.facts b { font-size: 14px; font-weight: 600; }
svg.map { display: block; width: 100%; height: auto; border: 1px solid #999; background: #fff; }
svg .street { font-size: 27px; fill: #4a4a4a; text-anchor: middle; paint-order: stroke; stroke: #fff; stroke-width: 6px;
  stroke-linejoin: round; }
.key { display: flex; flex-wrap: wrap; gap: 1mm 5mm; font-size: 11px; margin: 1.5mm 0 0; padding: 0; }
.key span { white-space: nowrap; }
.key i { display: inline-block; width: 8mm; height: 0; border-top: 3px solid; vertical-align: middle;
  margin-right: 1.5mm; }
.key .dash { border-top-style: dashed; border-top-width: 2px; }
.key .box, .key .rhomb, .key .pill { width: auto; height: auto; border: 0; background: #111; color: #fff;
  font-style: normal; padding: 0 1mm; border-radius: 1mm; font-size: 10px; line-height: 1.5; }
.key .rhomb { width: 2.6mm; height: 2.6mm; padding: 0; border-radius: 0; transform: rotate(45deg); }
.key .pill { background: #fff; color: #111; border: 1.5px solid #111; border-radius: 3mm; padding: 0 1.6mm; }
ol { list-style: none; margin: 0; padding: 0; columns: 2; column-gap: 7mm; column-rule: 1px solid #ccc; }
li { display: grid; grid-template-columns: 7mm 11mm 1fr 13mm; gap: 0 1.2mm; padding: .9mm .6mm .9mm 0;
  break-inside: avoid; border-bottom: 1px solid #e3e3e3; line-height: 1.32; }
li .n { font-weight: 700; text-align: right; } li time { font-variant-numeric: tabular-nums; color: #333; }
li time small { display: block; line-height: 1.25; }
li .what { min-width: 0; overflow-wrap: anywhere; } li .what small { display: block; line-height: 1.25; }
li.way { color: #444; font-size: 11.5px; } li.way .what, li.start .what, li.end .what { grid-column: 3 / span 2; }
li.rest { background: #f2f2f2; }
li .ticks { display: flex; gap: 2.5mm; justify-content: flex-end; }
li .ticks i { width: 4.6mm; height: 4.6mm; border: 1.2px solid #111; border-radius: .8mm; }
.star { color: #b3001b; }
.ticked { display: flex; justify-content: space-between; align-items: baseline; }
table { border-collapse: collapse; width: 100%; font-size: 12px; margin: 0 0 2mm; }
th, td { border-bottom: 1px solid #ccc; padding: 1mm 1.6mm; text-align: right; vertical-align: top; }
th { border-bottom: 1.5px solid #111; font-weight: 600; vertical-align: bottom; line-height: 1.25; }
th small { display: block; } th { white-space: nowrap; } th.l, td.l { text-align: left; } tr { break-inside: avoid; }
td .no { display: inline-block; min-width: 6mm; border-radius: 1mm; color: #fff; text-align: center; font-weight: 700; }
.scroll { overflow-x: auto; }
.sign { display: flex; gap: 6mm; margin: 4mm 0 0; break-inside: avoid; }
.sign span { flex: 1; border-bottom: 1px solid #111; padding: 0 0 7mm; font-size: 11px; color: #555; }
footer { color: #666; font-size: 10px; margin-top: 2mm; }
@media print {
  body { max-width: none; padding: 0 .5mm 0 0; font-size: 11.5px; }
  article { margin: 0; break-after: page; } article:last-child { break-after: auto; }
  article + article { border-top: 0; padding-top: 0; }
  footer { break-inside: avoid; }
}
@media screen and (max-width: 640px) {
  body { padding: 3mm; font-size: 15px; }
  ol { columns: 1; } .facts { grid-template-columns: repeat(2, 1fr); }
  .facts span { font-size: 12px; }
  .sheet svg.map { width: 200%; } .key { font-size: 13px; } li.way { font-size: 14px; }
  table { font-size: 13px; } td.l { white-space: normal; } .crews th, .crews td { white-space: nowrap; }
  .head .no { font-size: 22px; }
  li { grid-template-columns: 9mm 13mm 1fr 14mm; padding: 1.6mm 0; } h1 { font-size: 19px; }
}
"""
_HEAD = (
    '<!DOCTYPE html><html lang="zh"><head><meta charset="utf-8">'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
    'img-src data:"><link rel="icon" href="data:,">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
)


def sheet_name(what: PatrolDrawing, date: str) -> str:
    """Return the name of a date's file: "sheets.html" where the run has but one."""
    return "sheets.html" if len(what.dates) == 1 else f"sheets-{date}.html"


def patrol_sheets(what: PatrolDrawing, path: Path) -> list[Path]:
    """Write the route sheets into the folder of ``path``, a file for each date; return the files.

    Sheets are for A4 and read on a phone, too. They need no network and no script. They say where to walk and what to
    tick off, never whom anyone looks for or found. The same input gives the same bytes.
    """
    ground = patrol_sheet_map.ground_of(what)
    written = []
    for date in what.dates:
        target = path.with_name(sheet_name(what, date))
        target.write_bytes(_page(what, ground, date).encode())
        written.append(target)
    return written


def _page(what: PatrolDrawing, ground: Ground, date: str) -> str:
    routes = what.on(date)
    sheets = "".join(_sheet(what, ground, route) for route in routes)
    title = escape(f"{what.city} {both(what.title)} {date}".strip())
    return (
        f"{_HEAD}<title>{title}</title><style>{STYLE}</style></head><body>"
        f"{_overview(what, ground, date, routes)}{sheets}</body></html>\n"
    )


def _title(what: PatrolDrawing, words: tuple[str, str]) -> str:
    flags = "".join(f'<span class="flag">{escape(both(flag))}</span> ' for flag in what.flags)
    return f"<h1>{escape(words[0])} <small>{escape(words[1])}</small></h1><p>{flags}</p>"


def _overview(what: PatrolDrawing, ground: Ground, date: str, routes: list[Route]) -> str:
    """Return the supervisor's page: all routes, the crews, what is not covered and why, notes."""
    left = what.of("uncovered", date)
    must = left["must"].to_numpy(bool)
    lines = metric(left.geometry.to_numpy(), what.crs)
    svg = patrol_sheet_map.overview_svg(ground, routes, lines[~must], lines[must])
    words = (f"{what.city} 巡查总览 {date} {patrol_words.weekday(date)[0]}", "Overview for the supervisor")
    return (
        f"<article>{_title(what, words)}"
        f"{_totals(what, date)}{svg}{_overview_key(left)}"
        f"{_crew_table(what, date)}<section>{_left_table(left)}{_notes(what)}</section>{_foot(what)}</article>"
    )


def _facts(facts: list[tuple[str, str, bool]]) -> str:
    return '<div class="facts">' + "".join(
        f'<div{" class=wide" if wide else ""}><span>{escape(label)}</span><b>{value}</b></div>'
        for label, value, wide in facts
    ) + "</div>"  # fmt: skip


def _totals(what: PatrolDrawing, date: str) -> str:
    plan = what.of("plan", date).to_dict("records")[0]
    longest, shortest = minutes(plan["longest_s"]), minutes(plan["shortest_s"])
    ended = patrol_words.ENDED.get(str(plan["ended"]), (str(plan["ended"]), ""))
    return _facts([
        ("出巡班组 crews out", f"{plan['routes']} / {plan['crews']}", False),
        ("巡查任务 duties done", f"{plan['served']:,} / {plan['services']:,}", False),
        (f"{STAR} 必巡 must be done", f"{plan['must_served']} / {plan['must']}", False),
        ("优先值 priority", percent(plan["priority_served"], plan["priority"]), False),
        ("总行程 ground", km(plan["walked_m"]), False),
        ("空走 not patrolling", percent(plan["deadhead_m"], plan["walked_m"]), False),
        ("班次最长 / 最短 longest / shortest", f"{longest} / {shortest} min", False),
        ("方案 plan", escape(ended[0]) + f" <small>{escape(ended[1])}</small>", False),
    ])  # fmt: skip


def _overview_key(left: DataFrame) -> str:
    parts = [
        '<span><i style="color:#0072b2"></i>巡查 patrolled</span>',
        '<span><i class="dash" style="color:#0072b2"></i>途经，不巡查 passed through</span>',
        '<span><i class="box">站</i>驻地 station</span>',
    ]
    if (left["metres"] == 0).any():
        parts.append('<span><i class="rhomb" style="background:#8a8a8a"></i>未查的检查点 check not made</span>')
    if len(left):
        grey = patrol_words.LEFT_COLOUR
        parts.append(f'<span><i class="dash" style="color:{grey}"></i>今晚未巡查 not covered tonight</span>')
    if left["must"].any():
        red = patrol_words.LEFT_MUST_COLOUR
        parts.append(
            f'<span><i class="dash" style="color:{red}"></i>{STAR} 必巡而未排 must be done, not covered</span>'
        )
    return f'<div class="key">{"".join(parts)}</div>'


def _crew_table(what: PatrolDrawing, date: str) -> str:
    """Return the table of all crews of a night, those that stay in too."""
    rows = []
    for route in what.routes:
        if route.date != date:
            continue
        crew = route.crew
        badge = f'<span class="no" style="background:{patrol_words.colour(route.number)}">{route.number}</span>'
        doing = both(MODE_NAMES.get(str(crew["mode"]), (str(crew["mode"]), "")))
        rows.append(
            f'<tr><td class="l">{badge}</td><td class="l">{escape(route.name)}</td><td class="l">{escape(doing)}</td>'
            f"<td>{clock(crew['shift_from'])}–{clock(crew['shift_until'])}</td><td>{crew['services']:,}</td>"
            f"<td>{minutes(crew['duration_s'])}</td><td>{crew['walked_m'] / 1000:.1f}</td>"
            f"<td>{percent(crew['deadhead_m'], crew['walked_m'])}</td><td>{crew['priority']:,.0f}</td></tr>"
        )
    heads = [("号", "no.", "l"), ("班组", "crew", "l"), ("方式", "mode", "l"), ("班次", "shift", ""),
             ("任务", "duties", ""), ("分钟", "min", ""), ("公里", "km", ""), ("空走", "not patrolling", ""),
             ("优先值", "priority", "")]  # fmt: skip
    return f"<h2>班组 <small>Crews</small></h2><div class=crews>{_table(heads, rows)}</div>"


def _table(heads: list[tuple[str, str, str]], rows: list[str]) -> str:
    head = "".join(f'<th class="{c}">{zh}<small>{en}</small></th>' for zh, en, c in heads)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _left_table(left: DataFrame) -> str:
    """Return what is not covered: a row a reason, what must be done named first."""
    if not len(left):
        return (
            "<h2>未巡查 <small>Not covered</small></h2><p>全部任务已排入。 <small>Every duty is on a route.</small></p>"
        )
    rows = []
    for (must, _), own in left.groupby([~left["must"].astype(bool), "code"], sort=True):
        zh, en = own["zh"].iloc[0], own["en"].iloc[0]
        star = "" if must else f'<span class="star">{STAR}</span> '
        rows.append(
            f'<tr><td class="l">{star}{escape(zh)} <small>{escape(en)}</small></td><td>{len(own):,}</td>'
            f"<td>{own['metres'].sum() / 1000:.1f}</td><td>{own['priority'].sum():,.0f}</td>"
            f'<td class="l">{escape(_where(own))}</td></tr>'
        )
    heads = [("原因", "why", "l"), ("任务", "duties", ""), ("公里", "km", ""), ("优先值", "priority", ""),
             ("主要路段", "streets with most priority", "l")]  # fmt: skip
    return f"<h2>未巡查 <small>Not covered</small></h2>{_table(heads, rows)}"


def _where(left: DataFrame) -> str:
    """Name the streets with most priority, and say how many more there are."""
    named = left[left["name"] != ""].groupby("name")["priority"].sum()
    order = sorted(named.index, key=lambda name: (-named[name], name))
    more = len(order) - MOST_LEFT
    return "、".join(order[:MOST_LEFT]) + (f" 等 {len(order)} 条 ({more} more)" if more > 0 else "")


def _notes(what: PatrolDrawing) -> str:
    rows = "".join(f"<p>· {escape(zh)} <small>{escape(en)}</small></p>" for zh, en in what.notes)
    return f"<h2>说明 <small>Notes</small></h2>{rows}" if rows else ""


def _foot(what: PatrolDrawing) -> str:
    return "<footer>" + " · ".join(escape(text) for text in drawing.sources(what)) + "</footer>"


def _sheet(what: PatrolDrawing, ground: Ground, route: Route) -> str:
    """Return one crew's sheet: head, map, turn list, a line to sign."""
    listed = items(route)
    numbered = [i for i, item in enumerate(listed) if item.kind != "travel"]
    numbers = {item: n for n, item in enumerate(numbered, 1)}
    svg = patrol_sheet_map.route_svg(ground, route, listed, numbers)
    rows = "".join(_row(item, numbers.get(i)) for i, item in enumerate(listed))
    ink, code = patrol_words.colour(route.number), escape(str(route.crew["crew"]))
    return (
        f'<article class="sheet" id="{code}-{route.date}"><div class="head"><div class="no" style="background:{ink}">'
        f"{code}</div><div>{_title(what, (f'{what.city} 巡查路线单', 'Route sheet'))}</div></div>"
        f"{_crew_facts(route)}<div class=scroll>{svg}</div>{_sheet_key(ink)}"
        '<h2 class="ticked"><span>路线 <small>Route, turn by turn</small></span>'
        "<small>方框：左＝走完 done，右＝有发现，另填报告 found, report filed</small></h2>"
        f"<ol>{rows}</ol>"
        '<div class="sign"><span>网格员签名 signed</span><span>交班时间 handed over at</span>'
        f"<span>备注 remarks</span></div>{_foot(what)}</article>"
    )


def _crew_facts(route: Route) -> str:
    crew = route.crew
    star = int(route.steps["must"].sum())
    mode = both(MODE_NAMES.get(str(crew["mode"]), (str(crew["mode"]), "")))
    role = both(ROLE_NAMES.get(str(crew["role"]), (str(crew["role"]), "")))
    rest = route.steps[route.steps["kind"] == "break"]
    pause = f"{clock(rest['begins'].iloc[0])}–{clock(rest['ends'].iloc[-1])}" if len(rest) else "—"
    return _facts([
        ("日期 date", escape(night(route.date)), False),
        ("人员 persons", escape(str(crew["persons"])), False),
        ("岗位 role", escape(role), False),
        ("方式 mode", escape(mode), False),
        ("驻地 station", escape(str(crew["station_name"])), True),
        ("班次 shift", f"{clock(crew['shift_from'])}–{clock(crew['shift_until'])}", False),
        ("休息 break", pause, False),
        ("计划用时 planned", f"{minutes(crew['duration_s'])} 分钟 min", False),
        ("行程 ground", f"{km(crew['walked_m'])}", False),
        ("其中巡查 of it patrolled", f"{km(crew['service_m'])}", False),
        (f"任务 duties（{STAR} 必巡 must）", f"{crew['services']}（{STAR} {star}）", False),
    ])  # fmt: skip


def _sheet_key(ink: str) -> str:
    return (
        f'<div class="key"><span><i style="color:{ink}"></i>巡查 patrol</span>'
        '<span><i class="dash" style="color:#333"></i>途经 pass through</span>'
        '<span><i class="box">站</i>驻地 station</span><span><i class="rhomb"></i>检查点 check</span>'
        '<span><i class="pill">12</i>清单序号 number in the list</span>'
        f'<span><i class="pill" style="background:{ink};color:#fff;border-color:{ink}">12</i>'
        f"{STAR} 必巡或检查点 must be done, or a check</span></div>"
    )


def _row(item: Item, number: int | None) -> str:
    kind = "way" if number is None else "rest" if item.kind in ("wait", "break") else item.kind
    star = f'<span class="star">{STAR}</span> ' if item.must else ""
    ticks = '<span class="ticks"><i></i><i></i></span>' if item.ticks else ""
    until = f"<small>–{clock(item.ends)}</small>" if item.kind not in ("start", "end", "travel") else ""
    return (
        f'<li class="{kind}"><span class="n">{number or ""}</span><time>{clock(item.begins)}{until}</time>'
        f'<span class="what">{star}{escape(item.zh)} <small>{escape(item.en)}</small></span>'
        f"{ticks}</li>"
    )
