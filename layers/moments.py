"""Points of time between memory and the store: aware in UTC here, naive in UTC there."""

from datetime import UTC, datetime


def stored(moment: datetime) -> datetime:
    """Return an aware ``moment`` as the store keeps it: UTC without a zone. Raises ValueError on one without a zone."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment.astimezone(UTC).replace(tzinfo=None)


def aware(kept: datetime) -> datetime:
    """Return what the store kept as a moment of UTC."""
    return kept.replace(tzinfo=UTC)


def aware_or_none(kept: datetime | None) -> datetime | None:
    """Return what the store kept as a moment of UTC, None where it kept none."""
    return None if kept is None else aware(kept)
