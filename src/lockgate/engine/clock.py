"""The control clock: the only place in the control plane that reads this machine's time."""

from datetime import UTC, datetime

__all__ = ["now"]


def now() -> datetime:
    """Give the current moment, UTC."""
    return datetime.now(UTC)
