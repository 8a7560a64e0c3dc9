"""Training runs in an installation in memory, without a walk that made them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from lockgate.engine.installation import Installation
from lockgate.engine.stores import Stores
from lockgate.kernel.canonical import Digest, canonical, sha256
from lockgate.kernel.folders import StateFolder
from lockgate.kernel.numbers import whole_floats
from lockgate.ledger.blobs import memory_blobs
from lockgate.ledger.memory import MemoryLedger
from lockgate.records.features import TrainingSet
from lockgate.records.release import Release
from lockgate.records.snapshot import RowFile
from lockgate.records.training import (
    Artifact,
    Curve,
    Curves,
    Environment,
    Machine,
    MetricSummary,
    TrainingRun,
)
from lockgate.registry.shelf import Shelf

__all__ = ["AT", "RUN", "keep_release", "keep_run", "run_room"]

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
EMPTY = sha256(b"")
ROWS = RowFile(digest=EMPTY, bytes=0, rows=0)
SET = TrainingSet(
    features=EMPTY,
    outcome=EMPTY,
    snapshots={"orders": EMPTY},
    known_until=AT,
    test_from=AT,
    first_asked=AT,
    last_asked=AT,
    train_rows=900,
    test_rows=100,
    left_out={},
    train_files=(ROWS,),
    test_files=(ROWS,),
    vocabulary={},
)
HERE = Environment(python="3.11.7", packages={"numpy": "2.3.0"})
RUN = TrainingRun(
    project="parcels",
    model=EMPTY,
    training_set=sha256(canonical(SET)),
    code=EMPTY,
    commit="0123456789abcdef0123456789abcdef01234567",
    environment=sha256(canonical(HERE)),
    parameters={},
    fitted="DummyClassifier (scikit-learn 1.9.1)",
    output=EMPTY,
    machine=Machine(processor="x86", cores=2, memory=8_000_000_000, platform="Linux-x86_64"),
    line="line-1",
    by="ada",
    began_at=AT,
    seconds=1.5,
    peak_memory=1_000_000,
)


@contextmanager
def run_room(folder: Path) -> Iterator[Installation]:
    """Give an installation in memory, with the training set and the environment of `RUN`."""
    with MemoryLedger() as ledger:
        state = StateFolder(folder)
        shelf = Shelf(ledger, memory_blobs(), state)
        shelf.blobs.put(b"")
        for record in (SET, HERE):
            shelf.keep(record, subject="parcels", by="ada", at=AT)
        yield Installation(state, shelf, lambda: AT, Stores(), "here")


def keep_run(where: Installation, number: int = 0, **changed: Any) -> Digest:  # noqa: ANN401 - fields of a run
    """Keep a run; `metrics` as numbers by name, `files` as bytes by name."""
    metrics: dict[str, list[float]] = changed.pop("metrics", {})
    files: dict[str, bytes] = changed.pop("files", {})
    curves = Curves(
        metrics={
            name: Curve(steps=tuple(range(len(values))), values=tuple(values), seconds=(0.5,) * len(values))
            for name, values in metrics.items()
        }
    )
    told = {
        "metrics": {
            name: MetricSummary(
                points=len(values), last=values[-1], step=len(values) - 1, least=min(values), greatest=max(values)
            )
            for name, values in metrics.items()
        },
        "curves": where.shelf.blobs.put(canonical(curves)) if metrics else None,
        "artifacts": {
            name: Artifact(digest=where.shelf.blobs.put(data), size=len(data)) for name, data in files.items()
        },
        "whole_floats": whole_floats(changed.get("parameters", {})),
        "began_at": AT + number * SECOND,
    }
    run = msgspec.structs.replace(RUN, **{**told, **changed})
    return where.shelf.keep(run, subject=run.project, by=run.by, at=AT)


def keep_release(where: Installation, run: Digest, number: int = 1) -> Digest:
    """Keep a release of a run, unsigned."""
    release = Release(
        endpoint="parcels",
        number=number,
        package=EMPTY,
        training_run=run,
        evidence=(),
        verdicts=(),
        commit="",
        dirty=False,
        line="line-1",
        by="ada",
        at=AT,
    )
    return where.shelf.keep(release, subject="parcels", by="ada", at=AT)
