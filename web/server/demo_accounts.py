"""Accounts for trying out the demo city: one a role, with passwords that anybody may know."""

from datetime import date, datetime

import pandas as pd

from gis.errors import QuestionError
from layers.accounts import NewAccount, create_account, credentials
from layers.roles import ROLES
from layers.store import Store
from planner.patrol.question import parse_hours
from web.server.passwords import hash_password, new_uniquifier

#: Role -> (username, the tier of its area). The supervisor has the district where most workers are out at night, the
#: grid worker bears the name and the home of one of them, so that both find a patrol waiting.
PEOPLE = {
    "planner": ("planner", "city"),
    "supervisor": ("supervisor", "district"),
    "grid_worker": ("worker", "community"),
    "guidance_centre": ("centre", "city"),
    "partner": ("station", "city"),
    "administrator": ("admin", "city"),
}
#: Whose shift ends then or later is out at night.
LATE_S = 22 * 3600


def demo_accounts(store: Store, now: datetime) -> list[tuple[str, str, str, str]]:
    """Make the accounts that are not there yet and return all as (username, password, role, area code).

    Raises QuestionError on a store that is not a fictional city's: these passwords are printed for everybody.
    """
    if store.setting("fictional") != "yes":
        raise QuestionError("示例账号只用于虚构的示例城市", "demo accounts are for the fictional demo city alone")
    listed = []
    named, community = _night_worker(store)
    areas = {"city": community[:4] + "00000000", "district": community[:6] + "000000", "community": community}
    for role, (username, tier) in PEOPLE.items():
        password = f"lamplight-{username}"
        if credentials(store, username) is None:
            name = named if named and role == "grid_worker" else f"示例{ROLES[role].zh}"
            new = NewAccount(
                username, name, role, areas[tier], hash_password(password), new_uniquifier(),
                "rescue_station" if role == "partner" else "",
            )  # fmt: skip
            create_account(store, new, by=None, now=now)
        listed.append((username, password, role, areas[tier]))
    return listed


def _night_worker(store: Store) -> tuple[str, str]:
    """Return name and community of a grid worker who is out on foot and alone on the night of the city's data.

    Of the district where most are; "" and the first community where nobody is.
    """
    first = str(store.load("areas", "community", fields=["code"])["code"].min())
    on, current = store.setting("data_date"), store.current()
    if on is None or ("roster", "") not in current:
        return "", first
    roster = store.load("roster")
    day = pd.Timestamp(date.fromisoformat(on))
    begins, ends = pd.to_datetime(roster["from_date"]), pd.to_datetime(roster["until_date"])
    here = (roster["role"] == "grid_worker") & (begins.isna() | (begins <= day)) & (ends.isna() | (ends >= day))
    late = roster["shift"].fillna("").map(lambda text: bool(text) and parse_hours(text)[1] >= LATE_S)
    off = roster["days_off"].fillna("").map(lambda days: f"{day:%a}" in str(days).split(","))
    out = roster[here & late & ~off]
    out = out.assign(district=out["area_code"].astype(str).str[:6]).sort_values(["area_code", "person"])
    if out.empty:
        return "", first
    most = out[out["district"] == out["district"].value_counts(sort=False).sort_index().idxmax()]
    alone = most[(most["pair"].fillna("") == "") & (most["mode"].fillna("walk") == "walk")]
    chosen = (most if alone.empty else alone).iloc[0]
    return str(chosen["person"]), str(chosen["area_code"])[:12]
