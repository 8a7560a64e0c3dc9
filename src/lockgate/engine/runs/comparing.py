"""Holds runs beside each other, line by line: what differs comes first.

- Parameters, metrics and tags come from the runs; snapshots, code and environment from what they name.
- Of the environment only distributions that differ are told; of a metric the last number, and its bounds where there
  are several points.
- What a run does not have is null.
"""

import enum
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from lockgate.engine.installation import Installation
from lockgate.engine.runs.looking import RunSeen, find_run, run_seen, versions_of
from lockgate.kernel.canonical import Digest, canonical
from lockgate.kernel.errors import Invalid
from lockgate.records.features import TrainingSet
from lockgate.records.training import Environment, MetricSummary, TrainingRun

__all__ = ["CompareLine", "Compared", "LineKind", "compare_runs"]

_MOST = 20
_FEWEST = 2


class LineKind(enum.Enum):
    """What a line is about."""

    PARAMETER = "parameter"
    METRIC = "metric"
    TAG = "tag"
    DATA = "data"
    CODE = "code"
    ENVIRONMENT = "environment"
    COST = "cost"


class CompareLine(msgspec.Struct, kw_only=True):
    """One thing, in each run."""

    kind: LineKind
    name: str
    # In the order of the runs; None where a run does not have it.
    values: list[Any]
    differs: bool


class Compared(msgspec.Struct, kw_only=True):
    """Runs beside each other."""

    runs: list[RunSeen]
    # What differs first; within that in the order of the kinds.
    lines: list[CompareLine]


def compare_runs(where: Installation, wanted: Sequence[str]) -> Compared:
    """Hold runs beside each other.

    Raises:
        Invalid: they are fewer than two, or too many.
        NotFound, Conflict: as `find_run`.
    """
    if not _FEWEST <= len(wanted) <= _MOST:
        raise Invalid("These can't be compared", expected=f"{_FEWEST} to {_MOST} runs", found=f"{len(wanted)}")
    found = [find_run(where, one) for one in wanted]
    runs = [run for _, run in found]
    environments = [where.shelf.get(Environment, run.environment) for run in runs]
    sets = [where.shelf.get(TrainingSet, run.training_set) for run in runs]
    lines = [
        *_lines(LineKind.PARAMETER, [run.given() for run in runs]),
        *_lines(LineKind.METRIC, [_metrics(run) for run in runs]),
        *_lines(LineKind.TAG, [run.tags for run in runs]),
        *_lines(LineKind.DATA, [_data(rows) for rows in sets]),
        *_lines(LineKind.CODE, [_code(run) for run in runs]),
        *_lines(LineKind.ENVIRONMENT, [{"python": one.python} for one in environments]),
        *(one for one in _lines(LineKind.ENVIRONMENT, [one.packages for one in environments]) if one.differs),
        *_lines(LineKind.COST, [_cost(run) for run in runs]),
    ]
    return Compared(
        runs=[run_seen(digest, run, versions_of(where, run.project).get(digest, "")) for digest, run in found],
        lines=sorted(lines, key=lambda line: not line.differs),
    )


def _lines(kind: LineKind, sides: Sequence[dict[str, Any]]) -> list[CompareLine]:
    names = dict.fromkeys(name for side in sides for name in side)
    rows = {name: [side.get(name) for side in sides] for name in names}
    return [
        CompareLine(kind=kind, name=name, values=values, differs=_differ(name, values, sides))
        for name, values in rows.items()
    ]


def _differ(name: str, values: Sequence[Any], sides: Sequence[dict[str, Any]]) -> bool:
    """Tell whether runs differ in something; one that has it as null differs from one that does not have it."""
    return len({name in side for side in sides}) > 1 or len({_exact(value) for value in values}) > 1


def _exact(value: Any) -> str:  # noqa: ANN401 - JSON values
    """Give what is compared: 1 and 1.0 are two."""
    return repr(value) if isinstance(value, float) else canonical(value).decode()


def _metrics(run: TrainingRun) -> dict[str, Any]:
    bounds: dict[str, Callable[[MetricSummary], Any]] = {
        "": lambda metric: metric.last,
        " (least)": lambda metric: metric.least,
        " (greatest)": lambda metric: metric.greatest,
    }
    return {
        f"{name}{which}": of(metric)
        for name, metric in run.metrics.items()
        for which, of in bounds.items()
        if not which or metric.points > 1
    }


def _data(rows: TrainingSet) -> dict[str, Any]:
    snapshots: dict[str, Digest] = {f"snapshot of {source}": digest for source, digest in rows.snapshots.items()}
    return {"training rows": rows.train_rows, **snapshots}


def _code(run: TrainingRun) -> dict[str, Any]:
    return {
        "code": run.code,
        "commit": run.commit or None,
        "with changes": run.dirty,
        "model as declared": run.model,
        "fitted": run.fitted or None,
    }


def _cost(run: TrainingRun) -> dict[str, Any]:
    return {
        "state": run.state.value,
        "seconds": run.seconds,
        "seconds of processor time": run.cpu_seconds,
        "peak memory in bytes": run.peak_memory,
        "machine": f"{run.machine.processor}, {run.machine.cores} cores",
    }
