"""A plan of one night by hand: what its crews walk, as the tables of a run of patrol."""

import datetime as dt
from collections.abc import Mapping, Sequence

import pandas as pd

from layers.run import Run

EVENING = dt.date(2026, 3, 1)


def plan_run(
    crews: Mapping[str, tuple[str, Sequence[str]]], *, on: dt.date = EVENING, at: tuple[float, float] = (118.79, 32.05)
) -> Run:
    """Return a run whose crews, name -> (code of the home, duties in order), set out from ``at``."""
    home = [{"date": on.isoformat(), "crew": name, "persons": f"人{name}", "home": code, "station_code": "P1",
             "station_name": "点", "station_lon": at[0], "station_lat": at[1]}
            for name, (code, _) in crews.items()]  # fmt: skip
    steps = [{"date": on.isoformat(), "crew": name, "step": i, "kind": "patrol", "duty": duty, "side": ""}
             for name, (_, duties) in crews.items() for i, duty in enumerate(duties)]  # fmt: skip
    legs = pd.DataFrame({name: pd.Series(dtype=object) for name in ("date", "crew", "step", "from_m", "to_m")})
    tables = {
        "crews": pd.DataFrame(home),
        "steps": pd.DataFrame(steps, columns=["date", "crew", "step", "kind", "duty", "side"]), "legs": legs,
    }  # fmt: skip
    question = {"date": on.isoformat(), "hours": "20:00-24:00", "within": [], "crews": sorted(crews)}
    homes = [code for code, _ in crews.values()]
    return Run("patrol", {**question, "homes": homes}, {"streets": "0" * 64}, tables, "test")
