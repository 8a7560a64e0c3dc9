"""Pandera's checks of a frame: the same rules, one schema. Run by the interpreter of pandera's own environment."""

import json
import sys
import time

import pandera.polars as pa
import polars as pl

WORDS = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath"]


def main(path: str) -> None:
    """Check a frame five times; print the median of the seconds and the rows that failed."""
    frame, schema = pl.read_parquet(path), _schema()
    seconds = []
    failures = 0
    for _ in range(5):
        began = time.perf_counter()
        try:
            schema.validate(frame, lazy=True)
        except pa.errors.SchemaErrors as error:
            failures = error.failure_cases.height
        seconds.append(time.perf_counter() - began)
    print(json.dumps({"seconds": sorted(seconds)[2], "failures": failures}))


def _schema() -> pa.DataFrameSchema:
    floats = {f"x{n}": pa.Column(float, _ranges(-10.0, 10.0, -4.0, 4.0), nullable=n == 9) for n in range(10)}
    integers = {f"n{n}": pa.Column(int, _ranges(0, 10_000_000, 0, 999)) for n in range(5)}
    texts = {f"t{n}": pa.Column(str, pa.Check.isin(WORDS)) for n in range(4)}
    key = {"id": pa.Column(int, pa.Check.in_range(0, 10_000_000), unique=True)}
    return pa.DataFrameSchema({**key, **floats, **integers, **texts})


def _ranges(low: float, high: float, near_low: float, near_high: float) -> list[pa.Check]:
    return [pa.Check.in_range(low, high), pa.Check.in_range(near_low, near_high)]


if __name__ == "__main__":
    main(sys.argv[1])
