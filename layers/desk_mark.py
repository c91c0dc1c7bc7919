"""Whether anything a supervisor's desk shows has changed: one short word, cheap to ask every few seconds."""

from sqlalchemy import func, select

from layers.accounts import Account
from layers.casebook import visible
from layers.report_states import OPEN_STATES
from layers.schema import INCOMING_REPORT, NIGHT, PHONE_EVENT, REFERRAL
from layers.scope import seen
from layers.store import Store


def desk_mark(store: Store, night_id: int, *, by: Account) -> str:
    """Return a word that changes with the night's routes, the open reports ``by`` sees and whom they are referred to,
    and with what phones send.

    The night itself must have been found inside the scope before.
    """
    changed = func.sum(INCOMING_REPORT.c.version), func.max(INCOMING_REPORT.c.changed_at)
    reports = select(func.count(), *changed).where(INCOMING_REPORT.c.state.in_(OPEN_STATES), *visible(store, by))
    referred = select(func.max(REFERRAL.c.id), func.count(REFERRAL.c.received_at))
    referred = referred.join(INCOMING_REPORT, INCOMING_REPORT.c.id == REFERRAL.c.report_id)
    referred = referred.where(INCOMING_REPORT.c.state.in_(OPEN_STATES), *visible(store, by))
    events = seen(
        select(func.max(PHONE_EVENT.c.id)).where(PHONE_EVENT.c.night_id == night_id), PHONE_EVENT, store.scope
    )
    with store.transaction() as connection:
        version = connection.scalar(select(NIGHT.c.version).where(NIGHT.c.id == night_id))
        count, versions, latest = connection.execute(reports).one()
        made, received = connection.execute(referred).one()
        last = connection.scalar(events)
    moved = "" if latest is None else latest.timestamp()
    return f"{version}.{count}.{versions or 0}.{moved}.{made or 0}.{received}.{last or 0}"
