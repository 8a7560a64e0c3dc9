"""The root of a process that computes features of a part of the rows; started by `features.shards`."""

import gc
import os
import sys
import threading
from pathlib import Path

import msgspec
import polars as pl

from lockgate.features.matrix import run_rows
from lockgate.features.shards import PLAN, ROWS, Plan

__all__ = ["main"]


def main() -> None:
    """Compute the part named by the second argument, in the folder named by the first."""
    folder, part = Path(sys.argv[1]), int(sys.argv[2])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    gc.disable()  # values of rows form no cycles, and the process ends with its rows: looking for some takes a fifth
    plan = msgspec.json.decode((folder / PLAN).read_bytes(), type=Plan)
    start, end = plan.parts[part]
    rows = pl.scan_ipc(folder / ROWS).slice(start, end - start).collect()
    run_rows(rows, plan.request, plan.features, _Hundredths()).write_ipc(folder / f"{part}.arrow")


class _Hundredths:
    """Says a byte on standard output for each hundredth that is done."""

    def __init__(self) -> None:
        self._said = 0

    def __call__(self, share: float) -> None:
        done = int(share * 100)
        os.write(1, b"." * (done - self._said))
        self._said = done


def _end_with_parent() -> None:
    """Wait for standard input to close; the parent never writes to it, so that means it is gone."""
    while os.read(0, 1024):
        continue
    os._exit(1)


if __name__ == "__main__":
    main()
