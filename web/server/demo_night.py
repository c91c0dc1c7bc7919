"""A night and a few reports for trying out the demo city: what a newcomer finds on the supervisor's desk."""

import uuid
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import shapely

from layers.accounts import credentials
from layers.casebook import reports
from layers.intake import NewReport, receive
from layers.nights import nights, open_night
from layers.report_states import OPEN_STATES
from layers.run import Run
from layers.scope import Scope
from layers.store import Store
from layers.surroundings import DEFAULT_TIMEZONE
from planner.patrol.question import PatrolQuestion
from planner.patrol.runs import run_patrol
from web.server.demo_accounts import PEOPLE

#: The search for the night of a newcomer ends after so many seconds. Until this hour it is still the night before.
SEARCH_S, MORNING = 3.0, timedelta(hours=6)
#: What is reported: needs, the place, and how many minutes ago.
REPORTS = (
    (("medical",), "（示例）公交站候车亭", 6),
    (("night_shelter", "food_clothes"), "（示例）桥下靠河一侧", 25),
    (("lost",), "（示例）公园北门长椅", 48),
    (("food_clothes",), "（示例）银行自助厅门口", 95),
)


def demo_night(store: Store, secret: bytes, now: datetime) -> bool:
    """Plan and open tonight's patrol of the demo city, with a few open reports; tell whether there is one.

    Only where ``lamplight demo`` has planned a night before: a store without that is not there to be tried out.
    """
    known = credentials(store, PEOPLE["supervisor"][0])
    if known is None or not store.runs("patrol"):
        return False
    by, own = known.account, store.within(Scope.of(known.account.area_code))
    zone = ZoneInfo(store.setting("timezone") or DEFAULT_TIMEZONE)
    today = (now.astimezone(zone) - MORNING).date()
    if not nights(own, today, today):
        run = run_patrol(store, PatrolQuestion(today, seconds=SEARCH_S))
        if not reports(own, by=by, states=OPEN_STATES, limit=1):
            _report(own, own.run(run.id), secret, now)
        open_night(own, run.id, today, by=by, now=now)
    return True


def _report(own: Store, run: Run, secret: bytes, now: datetime) -> None:
    """Let people be reported beside streets that are walked tonight."""
    walked = run.tables["steps"]
    network = own.load_network()
    here = (walked["kind"] == "patrol") & walked["segment_id"].isin(network.segment_id)  # routes lead out of it
    walked = walked.loc[here, "segment_id"].drop_duplicates()
    for number, (needs, place, minutes) in enumerate(REPORTS):
        segment = int(walked.iloc[(2 * number + 1) * len(walked) // (2 * len(REPORTS))])
        line = network.geometry[int(np.flatnonzero(network.segment_id == segment)[0])]
        at = shapely.line_interpolate_point(line, 0.5, normalized=True)
        new = NewReport(float(at.x), float(at.y), needs, 1, place, "示例报告，人物和地点都是虚构的", "")
        receive(own, new, submission_key=str(uuid.uuid4()), secret=secret, now=now - timedelta(minutes=minutes))
