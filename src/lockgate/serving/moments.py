"""Moments as the log keeps them: microseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta

__all__ = ["YEARS", "from_micros", "micros"]

YEARS = (1900, 2200)
"""The years a time on the wire may have; what lies outside is a mistake, and overflows in some zone."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Give the microseconds of a moment, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(microseconds: int) -> datetime:
    """Give the moment, UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)
