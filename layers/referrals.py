"""Referrals to a rescue station, a hospital or the police: made, received in time or overdue."""

from dataclasses import dataclass
from datetime import datetime

from gis.errors import RecordError
from layers.accounts import Account
from layers.store import Store


class UnknownReferralError(RecordError):
    """There is no such referral, or none the caller may see."""


@dataclass(frozen=True, slots=True)
class Referral:
    """One referral of a report, with what its receiver must know. Times UTC, aware.

    receiver : of RECEIVERS; made_to : the partner's account, None where it has none; place : where it is received.
    """

    id: int
    report_id: int
    receiver: str
    made_to: int | None
    place: str
    made_at: datetime
    made_by: int | None
    due_at: datetime
    received_at: datetime | None
    received_by: str
    needs: tuple[str, ...]
    people: int
    urgency: int

    def overdue(self, now: datetime) -> bool:
        """Tell whether its receipt should have been confirmed by ``now``."""
        return self.received_at is None and now > self.due_at


def refer(
    store: Store, report_id: int, *, receiver: str, place: str, by: Account, now: datetime,
    made_to: int | None = None, due_at: datetime | None = None,
) -> Referral:  # fmt: skip
    """Refer a report; due_at : the receiver's own deadline by default."""
    raise NotImplementedError


def confirm_referral(store: Store, referral_id: int, *, by: Account, now: datetime, received_by: str) -> Referral:
    """Confirm a receipt: a partner for what was made to it, a supervisor for what was made to no account."""
    raise NotImplementedError


def referrals(store: Store, *, by: Account, report_id: int | None = None, waiting: bool = False) -> list[Referral]:
    """Return the referrals ``by`` may see, newest first: a partner those made to it; waiting : unconfirmed only."""
    raise NotImplementedError


def overdue_referrals(store: Store, *, by: Account, now: datetime) -> list[Referral]:
    """Return the referrals whose receipt should have been confirmed by ``now``, the longest overdue first."""
    raise NotImplementedError
