"""Rows through the fused closure in several processes: the same closure over parts of the rows, put together in order.

- A process is handed files and plain data (the request, the feature set, an Arrow file of rows) and hands a file back;
  no object of a user's is pickled.
- The result is bit for bit that of one process.
- One process that ends badly ends the others, and is a `Failed` that says how; nobody waits for what is not coming.
- The processes end when the one that started them does.
"""

import contextlib
import os
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import polars as pl

from lockgate.features.matrix import run_rows
from lockgate.kernel.errors import Failed
from lockgate.records.features import FeatureSet, RequestSpec

__all__ = ["ENOUGH", "PLAN", "ROWS", "Plan", "run_sharded"]

PLAN, ROWS = "plan.json", "rows.arrow"

ENOUGH = 150_000
"""Rows a process must get: with fewer, starting it (a third of a second) takes longer than it saves."""


class Plan(msgspec.Struct, kw_only=True):
    """What every process of a run is told."""

    # The request and the feature set.
    request: RequestSpec
    features: FeatureSet
    # From which row to which, for each process.
    parts: list[tuple[int, int]]


def run_sharded(
    local: pl.DataFrame,
    request: RequestSpec,
    features: FeatureSet,
    progress: Callable[[float], None] = lambda _: None,
    *,
    processes: int,
    enough: int = ENOUGH,
) -> pl.DataFrame:
    """Run the fused closure over rows that are `localised`.

    Args:
        local: the rows.
        request: the request.
        features: the feature set.
        progress: told how far it is, 0 to 1.
        processes: how many to use at most.
        enough: how many rows each must get at least.

    Raises:
        Failed: a process raised, or was killed.
    """
    count = min(processes, local.height // enough)
    if count <= 1:
        return run_rows(local, request, features, progress)
    cuts = [local.height * i // count for i in range(count + 1)]
    plan = Plan(request=request, features=features, parts=list(pairwise(cuts)))
    with tempfile.TemporaryDirectory(prefix="lockgate-shards-") as name:
        folder = Path(name)
        (folder / PLAN).write_bytes(msgspec.json.encode(plan))
        local.write_ipc(folder / ROWS)
        with _started(folder, count) as running:
            _wait(running, folder, progress)
        return pl.concat([pl.read_ipc(folder / f"{part}.arrow") for part in range(count)])


@contextlib.contextmanager
def _started(folder: Path, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start the processes; none outlives the block."""
    running: list[subprocess.Popen[bytes]] = []
    try:
        for part in range(count):
            with (folder / f"{part}.log").open("wb") as log:
                running.append(
                    subprocess.Popen(  # noqa: S603 - our own module
                        [sys.executable, "-m", "lockgate.features.shard", str(folder), str(part)],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=log,
                        bufsize=0,
                        env={**os.environ, "POLARS_MAX_THREADS": "1"},  # each has a core to itself
                    )
                )
        yield running
    finally:
        for process in running:
            process.kill()
            with process:  # waits, and closes its pipes
                pass


def _wait(running: list[subprocess.Popen[bytes]], folder: Path, progress: Callable[[float], None]) -> None:
    """Relay what the processes say of their progress, until all have ended well."""
    shares = [0.0] * len(running)
    with selectors.DefaultSelector() as selector:
        for part, process in enumerate(running):
            assert process.stdout is not None  # noqa: S101 - for the type checker; it was asked for
            selector.register(process.stdout, selectors.EVENT_READ, part)
        while selector.get_map():
            for key, _ in selector.select():
                said = os.read(key.fd, 4096)
                if said:
                    # One byte for each hundredth that is done.
                    shares[key.data] = min(1.0, shares[key.data] + len(said) / 100)
                    progress(sum(shares) / len(shares))
                    continue
                selector.unregister(key.fileobj)
                _check_end(running[key.data], key.data, folder)


def _check_end(process: subprocess.Popen[bytes], part: int, folder: Path) -> None:
    code = process.wait()
    if code == 0:
        return
    last = (folder / f"{part}.log").read_text(errors="replace").strip().splitlines()[-1:] or ["nothing was said"]
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    msg = f"Process {part + 1} of those that compute features died; none of their rows are used"
    raise Failed(
        msg,
        expected="every row computed",
        found=f"{how}; {last[0]}",
        way_out="If memory was short, use fewer: LOCKGATE_PROCESSES=1.",
    )
