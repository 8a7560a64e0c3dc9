"""Checks of a frame: against one hand-written Polars `select` of the same aggregates, and pandera for the record.

- The frame has 20 columns: an id, ten floats, five integers, four texts. One column has 2 % nulls, one has 999 values
  out of range, so that examples are looked for as in life.
- What is counted by rule, and the profile of each column, is compared before times are.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.data.peers import ask
from benchmarks.data.sizes import Run
from benchmarks.harness import Figure, at_most, interleave
from lockgate.checks.examine import examine
from lockgate.kernel.canonical import sha256
from lockgate.records.check import CheckReport, Rule

__all__ = ["measure"]

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath")
FLOATS = tuple(f"x{number}" for number in range(10))
INTEGERS = tuple(f"n{number}" for number in range(5))
TEXTS = tuple(f"t{number}" for number in range(4))
NUMBERS = ("id", *FLOATS, *INTEGERS)
COLUMNS = ("id", *FLOATS, *INTEGERS, *TEXTS)

_SNAPSHOT = sha256(b"a frame made for a benchmark")


def measure(run: Run) -> list[Figure]:
    """Measure the checks."""
    frame, rules = frame_of(run.sizes.checked), rules_of()
    differ = _differences(_examined(frame, rules), by_hand(frame))
    compared = interleave(lambda: by_hand(frame), lambda: _examined(frame, rules), rounds=run.sizes.rounds)
    what = f"{len(rules)} rules and the columns' profiles, {frame.height:,} rows x {frame.width} columns"
    return [
        at_most("checks: answers that differ from the hand-written select", differ, "of them", 0, what),
        at_most("checks: time / one hand-written select", compared.ratio, "x", 1.3, f"{compared.first:.3g} s by hand"),
        Figure(name="checks: time", value=compared.second, unit="s"),
        *(_beside_pandera(frame, run.folder) if run.peers else ()),
    ]


def frame_of(rows: int) -> pl.DataFrame:
    """Give the frame."""
    random = np.random.default_rng(1)
    frame = pl.DataFrame(
        {
            "id": random.permutation(rows),
            **{name: random.normal(size=rows) for name in FLOATS},
            **{name: random.integers(0, 1000, rows) for name in INTEGERS},
            **{name: pl.Series(WORDS).gather(random.integers(0, len(WORDS), rows)) for name in TEXTS},
        }
    )
    nulls, planted = pl.Series(random.random(rows) < 0.02), pl.Series(np.arange(rows) % max(2, rows // 999) == 1)
    return frame.with_columns(
        x9=pl.when(nulls).then(None).otherwise("x9"), n4=pl.when(planted).then(5_000).otherwise("n4")
    )


def rules_of() -> list[Rule]:
    """Give about 60 rules."""
    return [
        Rule(source="made", kind="row_count", parameters={"least": 1, "most": None}),
        Rule(source="made", kind="unique", column="id"),
        *(Rule(source="made", kind="missing", column=name, at_most=0.05) for name in COLUMNS),
        *(_between(name, -10.0, 10.0) for name in FLOATS),
        *(_between(name, -4.0, 4.0, at_most=0.01) for name in FLOATS),
        *(_between(name, 0, 999, at_most=0.01) for name in INTEGERS),
        *(_between(name, 0, 10_000_000) for name in ("id", *INTEGERS)),
        *(Rule(source="made", kind="one_of", column=name, parameters={"values": list(WORDS)}) for name in TEXTS),
    ]


def by_hand(frame: pl.DataFrame) -> dict[str, float]:
    """Count the same in one select, and see what the columns look like, as a careful hand writes it."""
    one = pl.col
    return frame.select(
        rows=pl.lit(0),
        unique=one("id").count() - one("id").n_unique(),
        **{f"null {name}": one(name).null_count() for name in ("id", *INTEGERS, *TEXTS)},
        **{f"null {name}": one(name).null_count() + one(name).is_nan().sum() for name in FLOATS},
        **{f"wide {name}": ((one(name) < -10) | (one(name) > 10)).sum() for name in FLOATS},
        **{f"near {name}": ((one(name) < -4) | (one(name) > 4)).sum() for name in FLOATS},
        **{f"near {name}": ((one(name) < 0) | (one(name) > 999)).sum() for name in INTEGERS},
        **{f"wide {name}": ((one(name) < 0) | (one(name) > 10_000_000)).sum() for name in ("id", *INTEGERS)},
        **{f"set {name}": (~one(name).is_in(WORDS)).sum() for name in TEXTS},
        **{f"low {name}": one(name).min() for name in NUMBERS},
        **{f"high {name}": one(name).max() for name in NUMBERS},
        **{f"mean {name}": one(name).mean() for name in NUMBERS},
        **{f"std {name}": one(name).std() for name in NUMBERS},
    ).row(0, named=True)


def _differences(report: CheckReport, expected: dict[str, float]) -> int:
    """Count what was counted or seen otherwise, and the rules that did not run."""
    wrong = sum(one.rows is None for one in report.results)
    for result, name in zip(report.results, _names_in_order(), strict=True):
        wrong += result.failures != expected[name]
    for column in report.columns:
        if column.name in NUMBERS:
            seen = {"low": column.low, "high": column.high, "mean": column.mean, "std": column.std}
            wrong += sum(not _same(value, expected[f"{what} {column.name}"]) for what, value in seen.items())
    return wrong


def _same(value: float | None, expected: float) -> bool:
    """Tell whether two are the same, but for the order in which Polars adds up: two threads take turns as they come."""
    return value is not None and math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-12)


def _names_in_order() -> list[str]:
    """Name the counts in the order of the rules."""
    return [
        "rows",
        "unique",
        *(f"null {name}" for name in COLUMNS),
        *(f"wide {name}" for name in FLOATS),
        *(f"near {name}" for name in (*FLOATS, *INTEGERS)),
        *(f"wide {name}" for name in ("id", *INTEGERS)),
        *(f"set {name}" for name in TEXTS),
    ]


def _between(column: str, low: float, high: float, at_most: float = 0.0) -> Rule:
    return Rule(source="made", kind="between", column=column, parameters={"low": low, "high": high}, at_most=at_most)


def _examined(frame: pl.DataFrame, rules: list[Rule]) -> CheckReport:
    return examine(frame, rules, on=_SNAPSHOT, source="made")


def _beside_pandera(frame: pl.DataFrame, folder: Path) -> list[Figure]:
    """Time pandera on the same frame in a process of its own, eager: its lazy frames check no values."""
    frame.write_parquet(folder / "checked.parquet")
    told: dict[str, Any] = ask("pandera", "pandera_checks.py", folder / "checked.parquet")
    note = f"in its own process; it found {told['failures']:,} failures"
    return [Figure(name="checks: time of pandera's eager Polars backend", value=told["seconds"], unit="s", note=note)]
