"""A look-up in the online store: one entity and a hundred, ten floats each, as a worker reads them.

- The read is the resolver's: one reading of the store, which also asks whether the release's series are whole, then the
  row that was newest when asked, unpacked. Values are compared with what was told before times are.
- Embedded: a SQLite file, opened to be read. Shared: a real Valkey server over loopback, from a wheel.
- Feast's online read from its SQLite store, in its own process, is for the record.
"""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.data.joining import COLUMNS, FEATURES, REQUEST, SOURCE, rows_of
from benchmarks.data.peers import ask
from benchmarks.data.sizes import Run
from benchmarks.harness import Figure, at_most
from lockgate.features.resolving import Resolver
from lockgate.features.series import Series, Told, pack_horizon, series_of, tell
from lockgate.features.store import OnlineStore, open_store
from tests.making.servers import HOST, valkey

__all__ = ["measure"]

_READY = b"ready"
_HUNDRED = 100
_ROUNDS = 20

Question = tuple[tuple[Any, ...], int]
"""The fields of a request, and when it is asked in microseconds."""


def measure(run: Run) -> list[Figure]:
    """Measure look-ups."""
    rows = rows_of(run.sizes).sort("event").unique("key", keep="last", maintain_order=True)
    series = series_of("bench", FEATURES, [SOURCE])
    path = (run.folder / "store.db").resolve()
    path.unlink(missing_ok=True)
    figures = _read("SQLite", f"sqlite:///{path}", rows, series, 10)
    with valkey() as server:
        figures += _read("Valkey over loopback", f"valkey://{HOST}:{server.port}/0", rows, series, 60)
    return [*figures, *(_feast(rows, run.folder) if run.peers else ())]


def _read(what: str, url: str, rows: pl.DataFrame, series: Sequence[Series], most: float) -> list[Figure]:
    written = open_store(url)
    _fill(written, rows, series)
    resolver = Resolver(REQUEST, FEATURES, {}, series, open_store(url, read_only=True), _READY)
    questions, expected = _questions(rows)
    wrong = sum(
        found[0].values != values
        for one, values in zip(questions, expected, strict=True)
        for found in resolver.resolve([one[0]], [one[1]])
    )
    hundreds = [questions[start : start + _HUNDRED] for start in range(0, len(questions), _HUNDRED)]
    written.close()
    note = f"median over {len(questions):,} of {rows.height:,} entities; the quietest of {_ROUNDS} rounds"
    return [
        at_most(f"store: rows that differ from those told, {what}", wrong, "of them", 0),
        at_most(f"store: one entity, {what}", _quietest(resolver, [[one] for one in questions]), "µs", most, note),
        at_most(f"store: 100 entities, {what}", _quietest(resolver, hundreds), "µs", 300),
    ]


def _fill(store: OnlineStore, rows: pl.DataFrame, series: Sequence[Series]) -> None:
    """Write rows as ingest does."""
    told = [
        Told("rows", row["key"], row["event"], row["available"], {name: row[name] for name in COLUMNS})
        for row in rows.with_columns(pl.col("event", "available").dt.timestamp("us")).iter_rows(named=True)
    ]
    for start in range(0, len(told), 2_000):
        tell(store, series, told[start : start + 2_000])
    store.change([_READY], lambda _: [pack_horizon(None)])


def _questions(rows: pl.DataFrame) -> tuple[list[Question], list[tuple[float, ...]]]:
    """Give questions about some entities, each asked when its row had just become available, and the answers."""
    some = rows.sample(min(rows.height, 5_000), seed=7, shuffle=True)
    asked = some["available"].dt.timestamp("us")
    questions = [((number, key, None), at) for number, (key, at) in enumerate(zip(some["key"], asked, strict=True))]
    return questions, some.select(COLUMNS).rows()


def _quietest(resolver: Resolver, batches: Sequence[Sequence[Question]]) -> float:
    """Give the median, in microseconds, of the round in which the machine was quietest."""
    asked = [([one[0] for one in batch], [one[1] for one in batch]) for batch in batches]
    rounds = [statistics.median(_seconds(resolver, rows, at) for rows, at in asked) for _ in range(_ROUNDS)]
    return min(rounds) * 1e6


def _seconds(resolver: Resolver, rows: Sequence[tuple[Any, ...]], asked_at: Sequence[int]) -> float:
    began = time.perf_counter()
    resolver.resolve(rows, asked_at)
    return time.perf_counter() - began


def _feast(rows: pl.DataFrame, folder: Path) -> list[Figure]:
    rows.drop("available").write_parquet(folder / "entities.parquet")
    told = ask("feast", "feast_online.py", folder)
    return [
        Figure(name="store: one entity, Feast's SQLite store", value=told["one_us"], unit="µs"),
        Figure(name="store: 100 entities, Feast's SQLite store", value=told["hundred_us"], unit="µs"),
    ]
