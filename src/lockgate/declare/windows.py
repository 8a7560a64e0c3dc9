"""Windows, and references to their columns."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from lockgate.declare.mistakes import StandIn, note, where
from lockgate.declare.sources import Source

__all__ = ["Window", "WindowColumns"]


class WindowColumns:
    """Columns of a window: a parameter's default in a feature, or an entry of a model's `features`."""

    def __init__(self, window: "Window", names: tuple[str, ...]) -> None:
        """Remember where it was asked for."""
        self.window = window
        self.names = names
        self.where = where()


class Window:
    """A declared window; made by `Project.window`."""

    def __init__(
        self,
        name: str,
        source: Source,
        *,
        by: str,
        over: Sequence[timedelta],
        of: Sequence[str],
        value: str | None,
        scale: int | None,
    ) -> None:
        """Keep as declared."""
        self.name = name
        self.source = source
        self.by = by
        self.over = tuple(over)
        self.of = tuple(of)
        self.value = value
        self.scale = scale
        self.where = where()

    def __getitem__(self, names: str | tuple[str, ...]) -> Any:  # noqa: ANN401 - stands as a parameter's default of any type
        """Refer to one or more of its columns, as they were known when asked."""
        wanted = (names,) if isinstance(names, str) else names
        if isinstance(wanted, tuple) and wanted and all(isinstance(name, str) for name in wanted):
            return WindowColumns(self, wanted)
        note(where(), expected=f"names of columns of the window {self.name}", found=repr(names)[:80])
        return StandIn()
