"""Two coverage runs side by side as a workbook: what every area has before and after, who gains, who loses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from layers.run import Run
from layers.scenario_content import Entry
from web import workbook
from web.drawing import LEVEL_NAMES, LEVELS, both, functions_in_words, minutes
from web.tables import MAX_CELLS, facts_sheet

#: How the sheets name what a scenario does to a point.
ACTION_NAMES = {"add": ("新增", "added"), "close": ("关闭", "closed"), "change": ("改动", "changed")}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Comparison:
    """Two sides and what changes from the first to the second.

    names : what each side is called. runs : their coverage runs, of the same question. changes : the entries of each
    side's scenario, none for the live city. segments : the streets whose covered metres change, as
    ``planner.scenarios.runs.gains_and_losses`` gives them. city : the city's name.
    """

    names: tuple[str, str]
    runs: tuple[Run, Run]
    changes: tuple[Sequence[Entry], Sequence[Entry]]
    segments: pd.DataFrame
    city: str


def comparison_workbook(what: Comparison, path: Path) -> None:
    """Write a comparison as XLSX: summary, areas of every tier, gains, losses, streets, changes, notes.

    Headings in Chinese and English. The same input gives the same bytes.
    """
    areas = pd.concat([side_by_side(what, level) for level in LEVELS], ignore_index=True)
    finest = next((level for level in reversed(LEVELS[:-1]) if level in set(areas["level"])), "")
    last = what.runs[0].parameters["thresholds_s"][-1]
    named = areas.assign(level=areas["level"].map({k: both(v) for k, v in LEVEL_NAMES.items()}))
    of_finest = areas["level"] == finest
    change = areas[f"difference_people_{last}"]
    if float(areas["people"].sum()) == 0:
        change = areas[f"difference_street_m_{last}"]
    order = change.abs().sort_values(ascending=False, kind="stable").index
    gains = named.loc[[i for i in order if of_finest[i] and change[i] > 0.5]]
    losses = named.loc[[i for i in order if of_finest[i] and change[i] < -0.5]]
    if named.size > MAX_CELLS:
        named = named[(areas["level"] != "grid_cell").to_numpy()]
    sheets = {
        "摘要 Summary": _summary(what, areas[of_finest], last),
        "区域 Areas": _headed(what, named),
        "得益 Gains": _headed(what, gains),
        "受损 Losses": _headed(what, losses),
        "街道 Streets": _streets(what),
        "改动 Changes": _changes(what),
        "说明 Notes": pd.concat([run.tables["notes"][["zh", "en"]] for run in what.runs]).drop_duplicates(),
    }
    workbook.write(sheets, path)


def side_by_side(what: Comparison, level: str) -> pd.DataFrame:
    """Return one row an area of a tier: code, name, level, people, street_m, and before, after and difference."""
    tables = [run.tables["areas"] for run in what.runs]
    old, new = (table[table["level"] == level].set_index("code") for table in tables)
    codes = old.index.union(new.index)
    known = new.reindex(codes).combine_first(old.reindex(codes))
    made = pd.DataFrame({"code": codes, "level": level})
    for column in ("name", "people", "street_m"):
        made[column] = known[column].to_numpy()
    for t in what.runs[0].parameters["thresholds_s"]:
        for whom in ("people", "street_m"):
            before, after = (side[f"covered_{whom}_{t}"].reindex(codes).to_numpy(float) for side in (old, new))
            made[f"before_{whom}_{t}"], made[f"after_{whom}_{t}"] = before, after
            made[f"difference_{whom}_{t}"] = np.nan_to_num(after) - np.nan_to_num(before)
    return made


def _headed(what: Comparison, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with readable headings, streets in kilometres."""
    heads = {"code": "代码 code", "name": "名称 name", "level": "层级 level", "people": "人口 people"}
    made = pd.DataFrame({heads[name]: table[name] for name in heads})
    made["街面公里 street km"] = (table["street_m"] / 1000).round(3)
    words = {"before": ("此前", "before"), "after": ("此后", "after"), "difference": ("变化", "change")}
    for t in what.runs[0].parameters["thresholds_s"]:
        for whom, zh, en, divisor in (("people", "人", "people", 1), ("street_m", "公里", "km", 1000)):
            for side, (side_zh, side_en) in words.items():
                values = (table[f"{side}_{whom}_{t}"] / divisor).round(3)
                made[f"≤{minutes(t)} 分钟{side_zh}（{zh}）≤{minutes(t)} min {side_en} ({en})"] = values
    return made


def _summary(what: Comparison, finest: pd.DataFrame, last: int) -> pd.DataFrame:
    facts = [("城市 City", what.city), ("此前 Before", what.names[0]), ("此后 After", what.names[1])]
    within = f"{minutes(last)} 分钟内 within {minutes(last)} min"
    for whom, said, divisor in (("people", "人 people", 1), ("street_m", "公里街面 km of street", 1000)):
        change = finest[f"difference_{whom}_{last}"] / divisor
        form = ",.0f" if divisor == 1 else ",.2f"
        for zh, en, part in (("多覆盖", "gained", change.clip(lower=0)), ("少覆盖", "lost", -change.clip(upper=0))):
            facts.append((f"{within}：{zh} {en}", f"{part.sum():{form}} {said}"))
    facts += [("此前的分析 Run before", what.runs[0].id), ("此后的分析 Run after", what.runs[1].id)]
    return facts_sheet(facts)


def _streets(what: Comparison) -> pd.DataFrame:
    heads: Mapping[str, str] = {"segment_id": "路段 segment", "name": "路名 street"}
    made = pd.DataFrame({heads[name]: what.segments[name] for name in heads})
    for t in what.runs[0].parameters["thresholds_s"]:
        made[f"≤{minutes(t)} 分钟变化（米）≤{minutes(t)} min change (m)"] = what.segments[
            f"change_covered_street_m_{t}"
        ].round(1)
    return made


def _changes(what: Comparison) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for side, entries in zip(what.names, what.changes, strict=True):
        for entry in entries:
            rows.append({
                "一方 side": side, "点位 point": entry["code"], "做法 what": both(ACTION_NAMES[entry["action"]]),
                "名称 name": entry.get("name", ""), "服务 functions": functions_in_words(entry.get("functions", "")),
                "开放时间 hours": entry.get("hours", ""), "容量 capacity": entry.get("capacity"),
                "经度 lon": entry.get("lon"), "纬度 lat": entry.get("lat"),
            })  # fmt: skip
    return pd.DataFrame(rows, columns=None if rows else ["一方 side", "点位 point"])
