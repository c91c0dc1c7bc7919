"""The points of a city as a scenario leaves them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.errors import QuestionError
from layers.scenario_content import Entry

#: Fields of a point that a scenario may set.
SET = ("name", "functions", "hours", "capacity", "build_state")


@dataclass(frozen=True, slots=True, eq=False)
class Overlaid:
    """Points under a scenario: those of the layers in their order, then those it adds.

    points : (k,) rows with the columns of the layers' points. source : (k,) the row each was before, -1 where added.
    lon, lat : (k,) where a scenario puts a point, NaN where it stands as it stood.
    """

    points: pd.DataFrame
    source: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]


def overlay(points: pd.DataFrame, entries: Sequence[Entry]) -> Overlaid:
    """Lay the ``entries`` of a scenario (``layers.scenario_content``) over ``points``, which stay as they are.

    Raises QuestionError where an entry names a point there is no more, or adds one there is already.
    """
    known = set(points["code"])
    wrong = [str(e["code"]) for e in entries if (e["action"] == "add") == (e["code"] in known)]
    if wrong:
        raise QuestionError(
            f"情景与现有点位不符，请修改情景：{'、'.join(wrong)}",
            f"the scenario no longer fits the points there are; change it: {', '.join(wrong)}",
        )
    closed = {entry["code"] for entry in entries if entry["action"] == "close"}
    kept = np.flatnonzero(~points["code"].isin(list(closed)).to_numpy(bool))
    added = [entry for entry in entries if entry["action"] == "add"]
    new = pd.DataFrame([{field: entry.get(field) for field in ("code", *SET)} for entry in added])
    made = pd.concat([points.iloc[kept], new], ignore_index=True) if added else points.iloc[kept].reset_index(drop=True)
    lon, lat = np.full(len(made), np.nan), np.full(len(made), np.nan)
    for entry in entries:
        if entry["action"] == "close":
            continue
        rows = np.flatnonzero((made["code"] == entry["code"]).to_numpy(bool))
        for field in SET:
            if field in entry:
                made.loc[rows, field] = entry[field]
        lon[rows], lat[rows] = entry.get("lon", np.nan), entry.get("lat", np.nan)
    return Overlaid(made, np.concatenate([kept, np.full(len(added), -1)]).astype(np.int64), lon, lat)
