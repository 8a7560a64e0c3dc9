"""A year of flights asked online and computed offline: the same bits, and nothing known too early.

- Online is the endpoint's own path in this process: the JSON of each request is decoded, what was known is resolved
  from a store that is fed the sources' rows in the order in which they became available, the fused closure runs, the
  encoder encodes. Offline is the path of training.
- Rows are compared as bits; a NaN equals a NaN.
- The oracle looks at every row for a sample of the requests. A value that it does not give is a leak, or a loss.
"""

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.data.flights import Flights, flights, version_of
from benchmarks.data.oracle import LookupOracle
from benchmarks.data.sizes import Run
from benchmarks.harness import Figure, at_most
from lockgate.features.known import available
from lockgate.features.series import Told, tell
from lockgate.features.store import MemoryStore
from lockgate.serving.version import Version

__all__ = ["measure"]


def measure(run: Run) -> list[Figure]:
    """Replay the year."""
    began = time.perf_counter()
    year = flights(run.sizes.flights)
    offline = time.perf_counter() - began
    began = time.perf_counter()
    store = MemoryStore()
    online = _replayed(year, version_of(year, run.folder / "package", store), store)
    asked = time.perf_counter() - began
    sample = year.served.sample(min(run.sizes.oracle, year.served.height), seed=5)
    wrong = _not_as_the_oracle(year, sample)
    what = f"{online.size:,} values of {len(online):,} requests"
    return [
        at_most("year: values that differ online", _differing_bits(year.matrix, online), "of them", 0, what),
        at_most("year: values that the oracle does not give", wrong, "of them", 0, f"{sample.height:,} requests"),
        Figure(
            name="year: computed offline", value=offline, unit="s", note="sources read and joined, features, encoding"
        ),
        Figure(name="year: asked online", value=asked, unit="s", note="rows told, and each request by itself"),
    ]


def _replayed(year: Flights, version: Version, store: MemoryStore) -> NDArray[np.float64]:
    """Tell each row when it became available, ask each request when it was asked."""
    told = _events(year)
    coming = next(told, None)
    seen = []
    fields = [field.name for field in year.request.fields]
    asked = year.served.select(fields).with_columns(pl.col(year.request.asked_at).dt.timestamp("us").alias("@asked"))
    for row in asked.iter_rows(named=True):
        asked_at = row.pop("@asked")
        known = []
        while coming is not None and coming.available_time <= asked_at:
            known.append(coming)
            coming = next(told, None)
        tell(store, version.series, known, horizon=asked_at)
        (question,) = version.read(msgspec.json.encode({"rows": [row]}), {})
        seen.append(version.look([question])[0].x)
    return np.array(seen, dtype=np.float64)


def _events(year: Flights) -> Iterator[Told]:
    """Give the rows of the sources that are read online as they would be posted, in order of availability."""
    posted = []
    for lookup in year.features.lookups:
        spec, rows = year.sources[lookup.source]
        if not lookup.clocked:
            continue
        frame = rows.select(
            pl.lit(spec.name).alias("source"),
            pl.col(spec.key).alias("key"),
            pl.col(spec.event_time or "").dt.timestamp("us").alias("event"),
            available(spec).dt.timestamp("us").alias("known"),
            pl.struct(column.name for column in lookup.columns).alias("values"),
        )
        posted.append(frame.drop_nulls(["key", "event", "known"]))
    told = [row for frame in posted for row in frame.iter_rows(named=True)]
    for row in sorted(told, key=lambda row: (row["known"], row["event"])):
        yield Told(row["source"], row["key"], row["event"], row["known"], row["values"])


def _differing_bits(one: NDArray[np.float64], other: NDArray[np.float64]) -> int:
    same = (one.view(np.int64) == other.view(np.int64)) | (np.isnan(one) & np.isnan(other))
    return int((~same).sum())


def _not_as_the_oracle(year: Flights, sample: pl.DataFrame) -> int:
    """Count the values of a sample that the oracle does not give."""
    wrong = 0
    for lookup in year.features.lookups:
        oracle = LookupOracle(lookup, *year.sources[lookup.source])
        for row in sample.iter_rows(named=True):
            known = oracle.ask(row[lookup.by], row[year.request.asked_at])
            wrong += sum(not _same(row[f"{lookup.source}.{name}"], value) for name, value in known.items())
    return wrong


def _same(found: Any, expected: Any) -> bool:  # noqa: ANN401 - values of any column
    return bool(found == expected) and (found is None) == (expected is None)
