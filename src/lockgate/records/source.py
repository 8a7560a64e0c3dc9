"""A source: where rows come from, and what is known of their time."""

from datetime import timedelta

from lockgate.kernel.canonical import Record

__all__ = ["SourceSpec"]


class SourceSpec(Record, tag="source/1", frozen=True, kw_only=True):
    """A declared source. With `event_time` it is clocked; without, a table that means "as in the snapshot"."""

    # The name that features, checks and records use.
    name: str
    # The function that gives the frame, as `module:qualname` inside the project folder.
    function: str
    # The column that identifies an entity.
    key: str
    # The column that says when a row happened; None for a table.
    event_time: str | None = None
    # The column that says when a row could first be known; null there means not yet.
    available_time: str | None = None
    # Or how long after its event time a row is known; one of the two for every clocked source.
    available_delay: timedelta | None = None
    # How old (asked minus event time) a row may be and still be used; None for any age.
    stale_after: timedelta | None = None

    @property
    def clocked(self) -> bool:
        """Whether rows have a time."""
        return self.event_time is not None
