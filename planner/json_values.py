"""Result tables as JSON values: what a machine reads, without NaN."""

import math
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from layers.run import Run


def run_json(
    run: Run,
    *,
    too_long: Collection[str] = (),
    one_row: Collection[str] = (),
    chosen: Mapping[str, pd.DataFrame] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return a run as JSON values: run (its id), kind, software, parameters, inputs, and each table by its name.

    Tables of ``one_row`` are an object, the others a list of objects; those ``too_long`` are left to the files.
    chosen : part of a table to give instead of the whole. A figure that does not exist is null.
    """
    answer: dict[str, Any] = {
        "run": run.id,
        "kind": run.kind,
        "software": run.software,
        "parameters": dict(run.parameters),
        "inputs": dict(run.inputs),
    }
    for name, table in run.tables.items():
        if name not in too_long:
            rows = json_records(chosen.get(name, table))
            answer[name] = rows[0] if name in one_row and rows else rows
    return answer


def json_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as JSON objects."""
    return [{str(k): json_value(v) for k, v in row.items()} for row in table.to_dict("records")]


def json_value(value: Any) -> Any:
    """Return a JSON value: numbers as plain floats and whole ones as integers, null for none."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, str) or value is None:
        return value
    number = float(value)
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number
