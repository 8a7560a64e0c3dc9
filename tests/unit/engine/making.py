"""A whole installation in a moment: a function that was brought and released, under a clock that stands still."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lockgate.engine.bringing.asked import ImportAsked
from lockgate.engine.installation import Installation, installation
from lockgate.engine.reconcile import advance, open_import, watch
from lockgate.training.example import Roles
from tests.making.brought import SCRIPT, clicks

START = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Clock:
    """A control clock that stands still."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@contextmanager
def opened(root: Path, clock: Clock) -> Iterator[Installation]:
    with installation(root / "state", clock) as where:
        yield where


def write_rules(root: Path, script: str = SCRIPT) -> None:
    """Write a function that scores, and rows to try it on."""
    (root / "script.py").write_text(script)
    clicks().write_csv(root / "rows.csv")


def asked(folder: Path, **said: Any) -> ImportAsked:  # noqa: ANN401 - as ImportAsked takes them
    """Give how the function is to be imported."""
    usual: dict[str, Any] = {
        "path": f"{folder}/script.py:score",
        "example": str(folder / "rows.csv"),
        "name": "rules",
        "roles": Roles(key="visitor", asked_at="seen_at", outcome="clicked"),
    }
    return ImportAsked(**(usual | said))


def bring(where: Installation, folder: Path, **said: Any) -> str:  # noqa: ANN401 - likewise
    """Import the function and release it; gives the walk."""
    line = open_import(where, asked(folder, **said), rollout=True, attended=True, by="bob")
    assert advance(where, line)
    end = watch(where, line.id, 0).end
    assert end is not None
    assert end.result == "released", end.reason
    return line.id
