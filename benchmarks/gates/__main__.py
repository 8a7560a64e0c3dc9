"""Measure what gates and packages cost: every figure with its goal.

make bench NAME=gates                            everything
make bench NAME=gates ARGS="--only loading"      one part
make bench NAME=gates ARGS="--trials 200"        the performance gate as often as its goals say
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.gates import importing, loading, performance, runtimes
from benchmarks.harness import Figure, report, versions_of

__all__ = ["PARTS", "main", "measure"]

PARTS: dict[str, Callable[[], list[Figure]]] = {
    "importing": importing.measure,
    "loading": loading.measure,
    "performance": performance.measure,
    "runtimes": runtimes.measure,
}
"""What can be measured alone."""

_PACKAGES = ("lockgate", "lightgbm", "numpy", "scikit-learn", "skops", "treelite")


def measure(parts: Sequence[str]) -> list[Figure]:
    """Measure some parts, one after the other; say on the error output what is done."""
    figures = []
    for part in parts:
        began = time.monotonic()
        figures += PARTS[part]()
        print(f"measured: {part}, in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    """Be the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the figures to this file")
    parser.add_argument("--only", choices=list(PARTS), action="append", help="measure this part; may be repeated")
    parser.add_argument("--trials", type=int, metavar="N", help="how often the performance gate judges each case")
    options = parser.parse_args(arguments)
    if options.trials is not None:
        PARTS["performance"] = partial(performance.measure, trials=options.trials)
    report(measure(options.only or list(PARTS)), versions_of(*_PACKAGES), options.json)


if __name__ == "__main__":
    main()
