"""Feast's online read from its SQLite store: one entity, and a hundred.

Run by the interpreter of Feast's own environment: `feast_online.py FOLDER`. It reads `entities.parquet` (key, event,
v0 ...), a row for each entity, writes them to the online store, and prints the medians in microseconds.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Float64, Int64
from feast.value_type import ValueType


def main(folder: Path) -> None:
    """Write, then read."""
    rows = pd.read_parquet(folder / "entities.parquet")
    store = _store(folder, [name for name in rows.columns if name.startswith("v")])
    store.write_to_online_store("rows", rows)
    keys = [int(key) for key in rows["key"]]
    wanted = [f"rows:{name}" for name in rows.columns if name.startswith("v")]
    one = _median(store, wanted, [[key] for key in keys[:300]])
    hundred = _median(store, wanted, [keys[start : start + 100] for start in range(0, min(2_000, len(keys)), 100)])
    print(json.dumps({"one_us": one, "hundred_us": hundred}))


def _median(store: FeatureStore, wanted: list[str], asked: list[list[int]]) -> float:
    seconds = []
    for keys in asked:
        began = time.perf_counter()
        found = store.get_online_features(features=wanted, entity_rows=[{"key": key} for key in keys]).to_dict()
        seconds.append(time.perf_counter() - began)
        if None in found["v0"]:
            raise ValueError("an entity that was written is not there")
    return statistics.median(seconds) * 1e6


def _store(folder: Path, columns: list[str]) -> FeatureStore:
    store = FeatureStore(
        config=RepoConfig(
            project="online",
            registry=str(folder / "feast-online-registry.db"),
            provider="local",
            offline_store={"type": "dask"},
            online_store={"type": "sqlite", "path": str(folder / "feast-online.db")},
            entity_key_serialization_version=3,
        )
    )
    entity = Entity(name="key", join_keys=["key"], value_type=ValueType.INT64)
    source = FileSource(path=str((folder / "entities.parquet").resolve()), timestamp_field="event")
    schema = [Field(name="key", dtype=Int64), *(Field(name=column, dtype=Float64) for column in columns)]
    store.apply([entity, FeatureView(name="rows", entities=[entity], schema=schema, source=source, online=True)])
    return store


if __name__ == "__main__":
    main(Path(sys.argv[1]))
