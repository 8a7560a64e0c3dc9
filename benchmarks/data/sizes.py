"""How much is measured: in full, for figures; or little, so that a test sees that the benchmark still runs."""

from dataclasses import dataclass, replace
from pathlib import Path

__all__ = ["FULL", "LITTLE", "Run", "Sizes"]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes of all workloads."""

    # Rows that are checked, by 20 columns.
    checked: int = 2_000_000
    # Requests whose row features are computed online.
    asked: int = 20_000
    # Rows whose features are computed offline.
    computed: int = 2_000_000
    # Requests of the as-served join.
    requests: int = 300_000
    # Rows that they are joined with, by 10 columns.
    joined: int = 1_000_000
    # Entities of these rows; also those that a store is asked for.
    entities: int = 10_000
    # Flights of the year that are replayed; None for all.
    flights: int | None = None
    # Of these, for how many all aggregates of windows are compared.
    windowed: int = 20_000
    # Requests that the brute-force oracle answers.
    oracle: int = 2_000
    # Clean rows in which no skew may be found.
    clean: int = 1_000_000
    # Bugs that are planted; None for all.
    skews: int | None = None
    # How often two things are compared.
    rounds: int = 9


FULL = Sizes()

LITTLE = Sizes(
    checked=2_000,
    asked=200,
    computed=400,
    requests=300,
    joined=1_000,
    entities=20,
    flights=2_000,
    windowed=200,
    oracle=50,
    clean=1_000,
    skews=2,
    rounds=1,
)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of the benchmark."""

    # How much is measured.
    sizes: Sizes = FULL
    # Where it keeps what it makes.
    folder: Path = Path("build/bench/data")
    # Whether other products are measured beside ours, each in an environment of its own.
    peers: bool = True

    def within(self, name: str) -> "Run":
        """Give the same run with a folder of its own for one part; the folder is there."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return replace(self, folder=folder)
