"""Accounts for trying out the demo city: one a role, with passwords that anybody may know."""

from datetime import datetime

from gis.errors import QuestionError
from layers.accounts import NewAccount, create_account, credentials
from layers.roles import ROLES
from layers.store import Store
from web.server.passwords import hash_password, new_uniquifier

#: Role -> (username, the tier of its area).
PEOPLE = {
    "planner": ("planner", "city"),
    "supervisor": ("supervisor", "subdistrict"),
    "grid_worker": ("worker", "community"),
    "guidance_centre": ("centre", "city"),
    "partner": ("station", "city"),
    "administrator": ("admin", "city"),
}


def demo_accounts(store: Store, now: datetime) -> list[tuple[str, str, str, str]]:
    """Make the accounts that are not there yet and return all as (username, password, role, area code).

    Raises QuestionError on a store that is not a fictional city's: these passwords are printed for everybody.
    """
    if store.setting("fictional") != "yes":
        raise QuestionError("示例账号只用于虚构的示例城市", "demo accounts are for the fictional demo city alone")
    listed = []
    community = str(store.load("areas", "community", fields=["code"])["code"].min())
    areas = {"city": community[:4] + "00000000", "subdistrict": community[:9] + "000", "community": community}
    for role, (username, tier) in PEOPLE.items():
        password = f"lamplight-{username}"
        if credentials(store, username) is None:
            new = NewAccount(
                username, f"示例{ROLES[role].zh}", role, areas[tier], hash_password(password), new_uniquifier(),
                "rescue_station" if role == "partner" else "",
            )  # fmt: skip
            create_account(store, new, by=None, now=now)
        listed.append((username, password, role, areas[tier]))
    return listed
