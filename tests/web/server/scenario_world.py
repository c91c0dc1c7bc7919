"""A scenario of the demo town with one change of each kind, measured beside the town as it is."""

from layers.accounts import Account, credentials
from layers.scenario_content import entries_from
from layers.scenarios import Scenario, change_scenario, content_of, create_scenario, points_before
from layers.scope import Scope
from layers.store import Store
from planner.coverage import CoverageQuestion
from planner.runs import run_coverage
from web.server.city import now


def measured_scenario(store: Store) -> tuple[int, str]:
    """Make it by the demo's planner; return its number and the code of a subdistrict."""
    found = credentials(store, "planner")
    assert found is not None
    made = scenario_with_changes(store, found.account)
    entries = tuple(entries_from(content_of(store, made.id)))
    for question in (CoverageQuestion(), CoverageQuestion(scenario=made.id, changes=entries)):
        run_coverage(store, question)
    return made.id, str(store.load("areas", "subdistrict")["code"].iloc[2])


def scenario_with_changes(store: Store, planner: Account, name: str = "冬季夜间增设一处") -> Scenario:
    """Add, move, close and upgrade a point, and change the hours of one."""
    own = store.within(Scope.of(planner.area_code))
    made = create_scenario(own, name, note="桥下与车站之间", by=planner, now=now())
    codes = points_before(own, made.id)["code"].tolist()
    shapes = own.load("areas", "community").geometry
    there, elsewhere = (shapes.iloc[n].representative_point() for n in (len(shapes) // 2, len(shapes) // 4))
    for code, action, fields in (
        (
            "",
            "add",
            {"lon": there.x, "lat": there.y, "name": "江心洲夜间点", "hours": "每天 20:00-次日6:00", "capacity": 20},
        ),
        (codes[0], "move", {"lon": elsewhere.x, "lat": elsewhere.y}),
        (codes[3], "close", {}),
        (codes[4], "upgrade", {"functions": "reception,temporary_service"}),
        (codes[5], "hours", {"hours": "24/7"}),
    ):
        made = change_scenario(own, made.id, action, fields, code=code, version=made.version, by=planner, now=now())
    return made
