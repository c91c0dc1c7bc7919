"""A night's plan as supervisors left it: the tables of its run, with streets where they were moved to."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from layers.night_opening import SERVED, planned_routes
from layers.night_records import NightRoute, Stop

Tables = dict[str, pd.DataFrame]
Row = dict[str, Any]
#: Each service of a night with its step and legs.
Services = dict[Stop, tuple[Row, list[Row]]]
#: Of a street that no crew had: metres a second it is looked at, and how long a check there takes.
USUAL_MPS, USUAL_CHECK_S, USUAL_WAY_S = 1.0, 300.0, 60.0
_TURNED = {"left": "right", "right": "left", "": ""}


def plan_as_changed(tables: Mapping[str, pd.DataFrame], on: dt.date, routes: Iterable[NightRoute]) -> Tables:
    """Return "crews", "steps" and "legs" of the night of ``on`` for the crews of ``routes``, with who walks now.

    tables : of a run of patrol. A crew whose route is as planned keeps its steps; the services of any other follow one
    another in its new order, as long as they took in the plan, the way to each as long as its crew's ways were on the
    whole: those have no legs, since which way is taken is not known. A service that neither the plan nor what it left
    uncovered knows is left out.
    """
    here = {name: table[table["date"] == on.isoformat()] for name, table in tables.items() if "date" in table}
    planned, wanted = planned_routes(tables, on), {route.crew: route for route in routes}
    crews = here["crews"][here["crews"]["crew"].isin(wanted)].reset_index(drop=True)
    persons = [wanted[str(crew)].persons for crew in crews["crew"]]
    same = [crew for crew, route in wanted.items() if planned.get(crew) == route.route]
    services = _services(here)
    steps, legs = ([here[name][here[name]["crew"].isin(same)]] for name in ("steps", "legs"))
    for crew in _records(crews):
        if crew["crew"] not in same:
            own_steps, own_legs = _laid_out(crew, wanted[crew["crew"]].route, services)
            steps.append(own_steps.reindex(columns=here["steps"].columns))
            legs.append(own_legs.reindex(columns=here["legs"].columns))
    together = {"steps": _together(steps), "legs": _together(legs)}
    return {"crews": crews.assign(persons=persons), **together}


def _services(here: Mapping[str, pd.DataFrame]) -> Services:
    """Return each service of the night, by duty and side as drawn, with its step and legs: the uncovered ones too."""
    legs_of = {key: _records(own) for key, own in here["legs"].groupby(["crew", "step"])}
    found: Services = {}
    for step in _records(here["steps"][here["steps"]["kind"].isin(SERVED)]):
        legs = legs_of.get((step["crew"], step["step"]), [])
        against = bool(legs) and legs[0]["from_m"] > legs[0]["to_m"]
        side = str(step["side"])
        found[str(step["duty"]), _TURNED[side] if against else side] = (step, legs)
    for left in _records(here["uncovered"]) if "uncovered" in here else []:
        for side in _TURNED:
            found.setdefault((str(left["duty"]), side), _uncovered(left, side))
    return found


def _uncovered(left: Mapping[str, Any], side: str) -> tuple[Row, list[Row]]:
    metres = float(left["metres"])
    step = {"kind": "patrol" if metres > 0 else "check", "duty": str(left["duty"]), "side": side, "metres": metres,
            **{name: left[name] for name in ("segment_id", "name", "priority", "must")}}  # fmt: skip
    leg = {"segment_id": left["segment_id"], "from_m": 0.0, "to_m": metres}
    return step, [leg] if metres > 0 else []


def _laid_out(
    crew: Mapping[str, Any], route: Sequence[Stop], services: Mapping[Stop, tuple[Row, list[Row]]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the steps and legs of a crew that serves ``route`` in order."""
    of_crew = {"date": crew["date"], "crew": crew["crew"]}
    still = {"duty": "", "segment_id": -1, "name": "", "side": "", "metres": 0.0, "priority": 0.0, "must": False}
    now = dt.datetime.fromisoformat(str(crew["shift_from"]))
    way = dt.timedelta(seconds=_way_s(crew))
    station = str(crew.get("station_name", ""))
    steps: list[dict[str, Any]] = [{**still, "kind": "start", "name": station, "begins": now, "ends": now}]
    legs: list[dict[str, Any]] = []
    for stop in route:
        if stop not in services:
            continue
        step, own_legs = services[stop]
        steps.append({**still, "kind": "travel", "begins": now, "ends": now + way})
        lasts, now = dt.timedelta(seconds=_lasts_s(step)), now + way
        legs += [{**leg, **of_crew, "step": len(steps)} for leg in own_legs]
        steps.append({**step, "begins": now, "ends": now + lasts})
        now += lasts
    steps.append({**still, "kind": "travel", "begins": now, "ends": now + way})
    steps.append({**still, "kind": "end", "name": station, "begins": now + way, "ends": now + way})
    rows = [
        {**step, **of_crew, "step": number, "begins": step["begins"].isoformat(), "ends": step["ends"].isoformat()}
        for number, step in enumerate(steps)
    ]
    return pd.DataFrame(rows), pd.DataFrame(legs, columns=["date", "crew", "step", "segment_id", "from_m", "to_m"])


def _way_s(crew: Mapping[str, Any]) -> float:
    services = int(crew.get("services", 0))
    return round(float(crew["travel_s"]) / services) if services else USUAL_WAY_S


def _lasts_s(step: Mapping[str, Any]) -> float:
    if "begins" in step:
        begins, ends = (dt.datetime.fromisoformat(str(step[name])) for name in ("begins", "ends"))
        return (ends - begins).total_seconds()
    return round(float(step["metres"]) / USUAL_MPS) if step["kind"] == "patrol" else USUAL_CHECK_S


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _together(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    kept = [part for part in parts if len(part)] or list(parts[:1])
    return pd.concat(kept, ignore_index=True)
