"""The as-served join: against a careful hand, and against Feast on the same rows.

- Answers are compared before times are: all of them, bit for bit.
- Time beside the hand: both in this process, in turns, from frames in memory, with the same threads.
- Time and memory beside Feast: each in a process of its own, from the same two files to a frame; the time to import is
  not counted, the memory is the peak of the whole process.
"""

import polars as pl

from benchmarks.data.joining import COLUMNS, by_hand, ours, requests_of, rows_of
from benchmarks.data.peers import ask, ask_ours
from benchmarks.data.sizes import Run, Sizes
from benchmarks.harness import Figure, at_least, at_most, interleave, not_measured

__all__ = ["measure"]


def measure(run: Run) -> list[Figure]:
    """Measure the join."""
    sizes = run.sizes
    requests, rows = requests_of(sizes), rows_of(sizes)
    return [*_beside_hand(requests, rows, sizes), *_beside_feast(requests, rows, run)]


def _beside_hand(requests: pl.DataFrame, rows: pl.DataFrame, sizes: Sizes) -> list[Figure]:
    differ = _differences(ours(requests, rows).rename(_plain), by_hand(requests, rows))
    compared = interleave(lambda: by_hand(requests, rows), lambda: ours(requests, rows), rounds=sizes.rounds)
    what = f"{requests.height:,} requests x {rows.height:,} rows x {len(COLUMNS)} columns"
    return [
        at_most("join: answers that differ from hand-written Polars", differ, "of them", 0, what),
        at_most("join: time / hand-written Polars", compared.ratio, "x", 1.3, f"{compared.first:.3g} s by hand"),
        Figure(name="join: time from frames in memory", value=compared.second, unit="s"),
    ]


def _beside_feast(requests: pl.DataFrame, rows: pl.DataFrame, run: Run) -> list[Figure]:
    names = "join: Feast's time / ours", "join: our peak memory / Feast's", "join: answers that differ from Feast's"
    goals = "at least 40 x", "at most 0.1 x", "at most 0 of them"
    if not run.peers:
        return [not_measured(name, "x", goal, "without peers") for name, goal in zip(names, goals, strict=True)]
    requests.write_parquet(run.folder / "requests.parquet")
    rows.write_parquet(run.folder / "rows.parquet")
    mine = [ask_ours("benchmarks.data.joining", run.folder) for _ in range(3)]
    theirs = ask("feast", "feast_join.py", run.folder)
    seconds, peak = sorted(one["seconds"] for one in mine)[1], max(one["peak_mib"] for one in mine)
    found, told = (pl.read_parquet(run.folder / f"{who}.parquet") for who in ("ours", "feast"))
    differ = _differences(found.rename(_plain), told)
    left_out = found.height - told.height
    note = f"{theirs['seconds']:.3g} s and {seconds:.3g} s, from files"
    return [
        at_most(
            names[2], differ, "of them", 0, f"as by the time of creation; it leaves out {left_out:,} with nothing known"
        ),
        at_least(names[0], theirs["seconds"] / seconds, "x", 40, note),
        at_most(
            names[1],
            peak / theirs["peak_mib"],
            "x",
            0.1,
            f"{peak:,.0f} MiB and {theirs['peak_mib']:,.0f} MiB, whole process",
        ),
    ]


def _differences(ours: pl.DataFrame, theirs: pl.DataFrame) -> int:
    """Count the requests that got other values; a request that is left out got none, and a NaN of pandas is a null."""
    told = theirs.select("question", pl.col(COLUMNS).fill_nan(None).name.suffix(" theirs"))
    both = ours.join(told, on="question", how="full", coalesce=True)
    same = pl.all_horizontal(pl.col(column).eq_missing(pl.col(f"{column} theirs")) for column in COLUMNS)
    return int(both.select((~same).sum()).item())


def _plain(name: str) -> str:
    return name.removeprefix("rows.")
