"""Which areas lack a named person on a date, and which grid cells lack a worker."""

import datetime as dt

import numpy as np
import pandas as pd

#: The role each level must have filled.
ROLE_OF_LEVEL = {"subdistrict": "supervisor", "community": "assistant", "grid_cell": "grid_worker"}


def roster_gaps(areas: pd.DataFrame, roster: pd.DataFrame, date: dt.date) -> pd.DataFrame:
    """List the areas whose role nobody holds on ``date``.

    areas : columns code, name, level; only levels of ``ROLE_OF_LEVEL`` are asked about.
    roster : columns person, role, area_code, from_date, until_date (dates or missing; until_date is the last day held,
        open if missing). A row without a person's name fills nothing.

    Returns rows (area_code, name, level, missing) in the order of ``areas``; missing is the role.
    """
    asked = areas[areas["level"].isin(list(ROLE_OF_LEVEL))]
    wanted = asked["level"].map(ROLE_OF_LEVEL)
    held = set()
    if len(roster):
        day = pd.Timestamp(date)
        begins, ends = pd.to_datetime(roster["from_date"]), pd.to_datetime(roster["until_date"])
        named = roster["person"].fillna("").astype(str).str.strip() != ""
        in_office = roster[named & (begins.isna() | (begins <= day)) & (ends.isna() | (ends >= day))]
        held = set(zip(in_office["role"].astype(str), in_office["area_code"].astype(str), strict=True))
    vacant = np.array([(role, code) not in held for role, code in zip(wanted, asked["code"], strict=True)], bool)
    gaps = asked.loc[vacant, ["code", "name", "level"]].rename(columns={"code": "area_code"})
    return gaps.assign(missing=wanted[vacant]).reset_index(drop=True)
