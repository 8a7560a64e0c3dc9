"""Sources of rows, and references to their columns."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from lockgate.declare.expecting import Expecting
from lockgate.declare.mistakes import StandIn, note, where
from lockgate.declare.readers import ReaderWanted

__all__ = ["Columns", "Source"]


class Columns:
    """Columns of a source: a parameter's default in a feature, or an entry of a model's `features`."""

    def __init__(self, source: "Source", names: tuple[str, ...]) -> None:
        """Remember where it was asked for."""
        self.source = source
        self.names = names
        self.where = where()


class Source(Expecting):
    """A declared source; made by `Project.source` and `Project.table`."""

    def __init__(  # noqa: PLR0913 - as declared
        self,
        rows: Callable[[], Any] | ReaderWanted,
        *,
        key: str,
        name: str | None = None,
        event_time: str | None = None,
        available_time: str | None = None,
        available_delay: timedelta | None = None,
        stale_after: timedelta | None = None,
        ingest_lag: timedelta | None = None,
        event_id: str | None = None,
    ) -> None:
        """Keep as declared."""
        super().__init__()
        self.rows = rows
        self.name = name or str(getattr(rows, "__name__", ""))
        self.key = key
        self.event_time = event_time
        self.available_time = available_time
        self.available_delay = available_delay
        self.stale_after = stale_after
        self.ingest_lag = ingest_lag
        self.event_id = event_id
        self.where = where()

    def __getitem__(self, names: str | tuple[str, ...]) -> Any:  # noqa: ANN401 - stands as a parameter's default of any type
        """Refer to one or more columns, as they were known when asked."""
        wanted = (names,) if isinstance(names, str) else names
        if isinstance(wanted, tuple) and wanted and all(isinstance(name, str) for name in wanted):
            return Columns(self, wanted)
        note(where(), expected=f"names of columns of {self.name}", found=repr(names)[:80])
        return StandIn()
