"""A year of flights asked online and computed offline: the same bits, and nothing known too early.

- Online is the endpoint's own path in this process: the JSON of each request is decoded, what was known is resolved
  from a store that is told the sources' rows in the order in which they became available, the fused closure runs, the
  encoder encodes. Offline is the path of training.
- Rows are compared as bits; a NaN equals a NaN.
- The oracle looks at every row for a sample of the requests. A value that it does not give is a leak, or a loss.
"""

import time
from collections import deque
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.data.flights import Flights, flights, version_of
from benchmarks.data.oracle import LookupOracle, WindowOracle, agree
from benchmarks.data.sizes import Run
from benchmarks.harness import Figure, at_most
from lockgate.features.known import available
from lockgate.features.series import Told, tell
from lockgate.features.store import MemoryStore

__all__ = ["measure"]


def measure(run: Run) -> list[Figure]:
    """Replay the year."""
    year = flights(run.sizes.flights)
    began = time.perf_counter()
    online = _replayed(year, run.folder / "package")
    asked = time.perf_counter() - began
    sample = year.served.sample(min(run.sizes.oracle, year.served.height), seed=5)
    wrong = _not_as_the_oracle(year, sample)
    what = f"{online.size:,} values of {len(online):,} requests"
    return [
        at_most("year: values that differ online", _differing_bits(year.matrix, online), "of them", 0, what),
        at_most("year: values that the oracle does not give", wrong, "of them", 0, f"{sample.height:,} requests"),
        Figure(name="year: computed offline", value=year.seconds, unit="s", note="joined, features, encoding"),
        Figure(name="year: asked online", value=asked, unit="s", note="rows told, and each request by itself"),
    ]


def _replayed(year: Flights, folder: Path) -> NDArray[np.float64]:
    """Tell each row when it became available, ask each request when it was asked."""
    store = MemoryStore()
    version = version_of(year, folder, store)
    coming = deque(_told(year))
    fields = [field.name for field in year.request.fields]
    asked = year.served.select(*fields, pl.col(year.request.asked_at).dt.timestamp("us").alias("@asked")).to_dicts()
    seen = []
    for asked_at, group in groupby(asked, key=itemgetter("@asked")):
        news = []
        while coming and coming[0].available_time <= asked_at:
            news.append(coming.popleft())
        if news:
            tell(store, version.series, news, horizon=asked_at)
        rows = [{name: row[name] for name in fields} for row in group]
        questions = version.read(msgspec.json.encode({"rows": rows}), {})
        seen += [one.x for one in version.look(questions)]
    return np.array(seen, dtype=np.float64)


def _told(year: Flights) -> list[Told]:
    """Give the rows of the sources that are read online, in the order in which they became available."""
    wanted: dict[str, set[str]] = {}
    for lookup in year.features.lookups:
        if lookup.clocked:
            wanted.setdefault(lookup.source, set()).update(column.name for column in lookup.columns)
    for window in year.features.windows:
        wanted.setdefault(window.source, set()).update(name for name in (window.by, window.value) if name)
    last = int(year.served[year.request.asked_at].dt.timestamp("us")[-1])
    told = []
    for source, names in wanted.items():
        spec, rows = year.sources[source]
        columns = sorted(names | ({spec.event_id} if spec.event_id else set()))
        frame = rows.select(
            pl.col(spec.key).alias("key"),
            pl.col(spec.event_time or "").dt.timestamp("us").alias("event"),
            available(spec).dt.timestamp("us").alias("known"),
            pl.struct(columns).alias("values"),
        ).filter(pl.col("known") <= last)
        frame = frame.drop_nulls(["key", "event"])
        told += [Told(source, row["key"], row["event"], row["known"], row["values"]) for row in frame.to_dicts()]
    return sorted(told, key=lambda row: (row.available_time, row.event_time))


def _differing_bits(one: NDArray[np.float64], other: NDArray[np.float64]) -> int:
    same = (one.view(np.int64) == other.view(np.int64)) | (np.isnan(one) & np.isnan(other))
    return int((~same).sum())


def _not_as_the_oracle(year: Flights, sample: pl.DataFrame) -> int:
    """Count the values of a sample that the oracle does not give."""
    asked_at = year.request.asked_at
    oracles: list[tuple[str, str, LookupOracle | WindowOracle]] = [
        *((one.source, one.by, LookupOracle(one, *year.sources[one.source])) for one in year.features.lookups),
        *((one.name, one.by, WindowOracle(one, *year.sources[one.source])) for one in year.features.windows),
    ]
    return sum(
        not agree(row[f"{name}.{column}"], value)
        for row in sample.iter_rows(named=True)
        for name, by, oracle in oracles
        for column, value in oracle.ask(row[by], row[asked_at]).items()
    )
