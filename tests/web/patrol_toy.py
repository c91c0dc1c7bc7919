"""A patrol of the toy town, made by hand: two nights, a pair, a crew that stays in, one whose station is withheld."""

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd
import shapely
from shapely import Point

from layers.run import Run
from layers.store import Store
from tests.planner import toy_town
from tests.web.conftest import HOSTILE

DATES = ("2026-03-01", "2026-03-02")
SECRET_NAME, SECRET_CODE = "庇护所秘密", "P2"
#: Metres up North Road at which the withheld point stands.
SECRET_M = 350.0
#: What a crew does: kind, minutes, duty, segment, name, side, must, ground (segment, from_m, to_m).
Doing = tuple[str, float, str, int, str, str, bool, Sequence[tuple[int, float, float]]]


def town() -> dict[tuple[str, str], pd.DataFrame]:
    """The toy town with a hostile street name, a street without a name, and a withheld point on North Road."""
    layers = toy_town.layers_of_town()
    streets = layers["streets", ""]
    streets.loc[1, "name"], streets.loc[3, "name"] = HOSTILE, ""
    points = layers["service-points", ""]
    points.loc[1, "name"] = SECRET_NAME
    points["withheld"] = [False, True, False]
    layers["service-points", ""] = points
    points.loc[1, "geometry"] = toy_town.placed(Point(600, SECRET_M))
    return layers


def way(ground: Sequence[tuple[int, float, float]]) -> Doing:
    return ("travel", 5, "", -1, "", "", False, ground)


def walked(minutes: float, segment: int, from_m: float, to_m: float, side: str = "", must: bool = False) -> Doing:
    return ("patrol", minutes, f"S{segment}", segment, "", side, must, [(segment, from_m, to_m)])


def still(kind: str, minutes: float, duty: str = "", segment: int = -1, name: str = "", must: bool = False) -> Doing:
    return (kind, minutes, duty, segment, name, "", must, [])


#: West and back along Main Street West, up North Road on one side and down it on the other, then east to its end.
LONG = (
    still("start", 0, name="Day Centre"), way([(1, 100.0, 0.0)]), walked(12, 1, 0.0, 600.0, must=True),
    still("wait", 10), walked(14, 3, 0.0, 600.0, "left"), walked(14, 3, 600.0, 0.0, "right"), still("break", 15),
    walked(13, 2, 0.0, 600.0), still("check", 8, "K9", 2, f"桥洞{HOSTILE}", True),
    way([(2, 600.0, 0.0), (1, 600.0, 100.0)]), still("end", 0, name="Day Centre"),
)  # fmt: skip
SHORT = (
    still("start", 0, name="Day Centre"), way([(1, 100.0, 600.0)]), walked(9, 2, 0.0, 600.0),
    way([(2, 600.0, 0.0), (1, 600.0, 100.0)]), still("end", 0, name="Day Centre"),
)  # fmt: skip
FROM_SECRET = (
    still("start", 0, name=SECRET_NAME), way([(3, SECRET_M, 0.0)]), walked(11, 1, 600.0, 0.0),
    way([(1, 0.0, 600.0), (3, 0.0, SECRET_M)]), still("end", 0, name=SECRET_NAME),
)  # fmt: skip
#: (date, crew, persons, mode, station, begins, what it does); a crew without anything stays in.
CREWS = (
    (DATES[0], "C01", "林晓灯、周远灯", "walk", "P1", "20:00", LONG),
    (DATES[0], "C02", "陈明灯", "ebike", "P2", "21:00", FROM_SECRET),
    (DATES[0], "C03", "王安灯", "walk", "P1", "20:00", ()),
    (DATES[1], "C01", "林晓灯、周远灯", "walk", "P1", "20:00", SHORT),
)


def keep(store: Store) -> Store:
    store.set_setting("city_name", "玩具市")
    return toy_town.keep(store, town())


def toy_run(store: Store, crews: Sequence[tuple] = CREWS, **changed: pd.DataFrame) -> Run:
    """The toy patrol as a run of what ``store`` holds; tables may be replaced."""
    inputs = {"/".join(filter(None, (v.layer, v.part))): v.content_sha256 for v in store.versions()}
    steps, legs = _steps_and_legs(crews)
    made = {"crews": _crew_table(crews, steps), "steps": steps, "legs": legs, "uncovered": uncovered()}
    made |= {"plan": _plan(made), "notes": pd.DataFrame([("x", "说明一", "note one")], columns=["code", "zh", "en"])}
    return Run("patrol", {"date": DATES[0], "hours": "20:00-24:00"}, inputs, {**made, **changed}, "lamplight 0")


def uncovered() -> pd.DataFrame:
    """A street that must be done and a check, not covered on the first night."""
    columns = ["date", "duty", "segment_id", "name", "metres", "priority", "must", "code", "zh", "en"]
    no_way, no_time = ("no-way", "没有路可到", "there is no way to it"), ("no-time", "人手时间不够", "no time left")
    rows = [
        (DATES[0], "S4", 4, "", 300.0, 5.0, True, *no_way),
        (DATES[0], "K7", 1, f"ATM{HOSTILE}", 0.0, 2.0, False, *no_time),
    ]
    return pd.DataFrame(rows, columns=columns)


def _steps_and_legs(crews: Sequence[tuple]) -> tuple[pd.DataFrame, pd.DataFrame]:
    steps, legs = [], []
    for date, crew, _, _, _, begins, doings in crews:
        now = dt.datetime.fromisoformat(f"{date}T{begins}")
        for number, (kind, minutes, duty, segment, name, side, must, ground) in enumerate(doings):
            then = now + dt.timedelta(minutes=minutes)
            metres = float(sum(abs(b - a) for _, a, b in ground))
            priority = 10.0 if duty else 0.0
            steps.append((date, crew, number, kind, now.isoformat(), then.isoformat(), duty, segment, name, side,
                          metres, priority, must))  # fmt: skip
            legs += [(date, crew, number, s, a, b) for s, a, b in ground]
            now = then
    step_columns = ["date", "crew", "step", "kind", "begins", "ends", "duty", "segment_id", "name", "side", "metres",
                    "priority", "must"]  # fmt: skip
    leg_columns = ["date", "crew", "step", "segment_id", "from_m", "to_m"]
    return pd.DataFrame(steps, columns=step_columns), pd.DataFrame(legs, columns=leg_columns)


def _crew_table(crews: Sequence[tuple], steps: pd.DataFrame) -> pd.DataFrame:
    points = town()["service-points", ""].set_index("code")
    rows = []
    for date, crew, persons, mode, station, begins, _ in crews:
        own = steps[(steps["date"] == date) & (steps["crew"] == crew)]
        seconds = (pd.to_datetime(own["ends"]) - pd.to_datetime(own["begins"])).dt.total_seconds()
        served, passed = own["kind"].isin(["patrol", "check"]), own["kind"] == "travel"
        place = points.loc[station, "geometry"]
        begin = dt.datetime.fromisoformat(f"{date}T{begins}")
        rows.append(
            {"date": date, "crew": crew, "persons": persons, "role": "grid_worker", "mode": mode,
             "home": toy_town.CELL, "station_code": station, "station_name": points.loc[station, "name"],
             "station_lon": place.x, "station_lat": place.y, "shift_from": begin.isoformat(),
             "shift_until": (begin + dt.timedelta(hours=4)).isoformat(), "services": int(served.sum()),
             "duration_s": float(seconds.sum()), "service_s": float(seconds[served].sum()),
             "travel_s": float(seconds[passed].sum()), "wait_s": float(seconds[own["kind"] == "wait"].sum()),
             "break_s": float(seconds[own["kind"] == "break"].sum()), "walked_m": float(own["metres"].sum()),
             "service_m": float(own["metres"][served].sum()), "deadhead_m": float(own["metres"][passed].sum()),
             "priority": float(own["priority"].sum()), "away_s": 0.0}
        )  # fmt: skip
    return pd.DataFrame(rows)


def _plan(made: dict[str, pd.DataFrame]) -> pd.DataFrame:
    rows = []
    for date in dict.fromkeys(made["crews"]["date"]):
        crews, left, steps = (t[t["date"] == date] for t in (made["crews"], made["uncovered"], made["steps"]))
        out = crews[crews["services"] > 0]
        walked_m = float(out["walked_m"].sum())
        rows.append(
            {"date": date, "crews": len(crews), "routes": len(out), "services": int(out["services"].sum()) + len(left),
             "served": int(out["services"].sum()), "must": int(steps["must"].sum() + left["must"].sum()),
             "must_served": int(steps["must"].sum()), "priority": out["priority"].sum() + left["priority"].sum(),
             "priority_served": out["priority"].sum(), "walked_m": walked_m, "service_m": out["service_m"].sum(),
             "deadhead_m": out["deadhead_m"].sum(),
             "deadhead_share": out["deadhead_m"].sum() / walked_m if walked_m else np.nan,
             "longest_s": out["duration_s"].max(), "shortest_s": out["duration_s"].min(),
             "mean_s": out["duration_s"].mean(), "service_s": out["service_s"].sum(),
             "travel_s": out["travel_s"].sum(), "wait_s": out["wait_s"].sum(), "break_s": out["break_s"].sum(),
             "away_share": np.nan, "ended": "settled", "seed": 0}
        )  # fmt: skip
    return pd.DataFrame(rows)


def secret_place() -> tuple[float, float]:
    """Longitude and latitude of the withheld point."""
    place = toy_town.placed(shapely.Point(600, SECRET_M))
    return place.x, place.y
