"""What becomes of reports in the end: those helped enter the city's records, and what is private is blanked in time."""

from datetime import datetime

from layers.store import Store
from layers.version_rows import LayerVersion


def to_layer(store: Store, *, now: datetime) -> LayerVersion | None:
    """Add every helped or closed report to the ``reports`` layer as one import; None where nothing is new."""
    raise NotImplementedError


def purge(store: Store, before: datetime, *, now: datetime, account_id: int | None = None) -> int:
    """Blank contact, note, place and photos of reports ended before ``before``; return how many they were."""
    raise NotImplementedError
