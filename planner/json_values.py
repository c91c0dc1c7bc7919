"""Result tables as JSON values: what a machine reads, without NaN."""

import math
from typing import Any

import numpy as np
import pandas as pd


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
