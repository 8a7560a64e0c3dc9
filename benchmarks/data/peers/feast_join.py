"""Feast's historical join of the rows in a folder, as Feast does it by default: files, read with dask.

Run by the interpreter of Feast's own environment: `feast_join.py FOLDER`. It reads `requests.parquet` (key, asked) and
`rows.parquet` (key, event, available, v0 ...), writes `feast.parquet`, and prints seconds and peak memory.
"""

import json
import sys
import time
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Float64, Int64
from feast.value_type import ValueType


def main(folder: Path) -> None:
    """Join, by event time among what was created when asked: the option that does not leak."""
    store, columns = _store(folder)
    requests = pd.read_parquet(folder / "requests.parquet").rename(columns={"asked": "event_timestamp"})
    began = time.perf_counter()
    job = store.get_historical_features(
        entity_df=requests, features=[f"rows:{column}" for column in columns], filter_by_created_timestamp=True
    )
    found = job.to_df()
    seconds = time.perf_counter() - began
    found.rename(columns={"event_timestamp": "asked"}).to_parquet(folder / "feast.parquet")
    # Not `ru_maxrss`: that would hold what the program had that started this one, too.
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
    print(json.dumps({"seconds": seconds, "peak_mib": peak, "rows": len(found)}))


def _store(folder: Path) -> tuple[FeatureStore, list[str]]:
    config = RepoConfig(
        project="bench",
        registry=str(folder / "feast-registry.db"),
        provider="local",
        offline_store={"type": "dask"},
        online_store=None,
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    columns = [name for name in pq.read_schema(folder / "rows.parquet").names if name.startswith("v")]
    entity = Entity(name="key", join_keys=["key"], value_type=ValueType.INT64)
    source = FileSource(
        path=str((folder / "rows.parquet").resolve()), timestamp_field="event", created_timestamp_column="available"
    )
    schema = [Field(name="key", dtype=Int64), *(Field(name=column, dtype=Float64) for column in columns)]
    store.apply([entity, FeatureView(name="rows", entities=[entity], ttl=timedelta(0), schema=schema, source=source)])
    return store, columns


if __name__ == "__main__":
    main(Path(sys.argv[1]))
