"""Makes the record of a training run out of its journal, however the run ended.

- A run that finished, failed or was killed is recorded, with all that it told until then.
- A walk that was gone before it could record its run finds the journal when it is gone on with, and records it first.
- Nothing that was told is part of a package: its id depends on data, code, parameters and environment alone.
"""

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from lockgate.declare.run import Point
from lockgate.engine.fitting import Fit
from lockgate.engine.machine import machine
from lockgate.engine.walk import Told, Walk
from lockgate.kernel.canonical import Digest, canonical, digest_of, parse, short
from lockgate.kernel.errors import LockgateError
from lockgate.kernel.numbers import said
from lockgate.records.training import Artifact, Curve, Curves, MetricSummary, ModelSpec, RunState, TrainingRun
from lockgate.training.journal import Journaled, forget_journal, read_journal

__all__ = ["Recorder"]

_OUTPUT = "output.log"
_LONGEST_ERROR = 4_000
_RECENT = 100


class Recorder:
    """Records the runs of one fit on a walk.

    Args:
        walk: the walk.
        scratch: the folder of the child that fits.
        project: the project's name.
        model: the model as declared.
        training_set: what it learns from.
    """

    def __init__(self, walk: Walk, scratch: Path, project: str, model: ModelSpec, training_set: Digest) -> None:
        self._walk, self._scratch, self._project = walk, scratch, project
        self._model, self._training_set = model, training_set

    def fit(self, run_child: Callable[[datetime], Fit]) -> tuple[Fit, Digest]:
        """Have a child fit, given the moment at which its run begins; give what it fitted, and the record of its run.

        Raises:
            LockgateError: what the child was refused, or failed with; its run is recorded first.
        """
        self._keep_left_behind()
        try:
            found = run_child(self._walk.where.clock())
        except LockgateError as error:
            self._keep(None, f"{error}")
            raise
        kept = self._keep(found, "")
        assert kept is not None  # noqa: S101 - for the type checker: a child that gave a model began its journal
        return found, kept

    def _keep_left_behind(self) -> None:
        """Record the run of a walk that was gone before it could do so itself."""
        journaled = read_journal(self._scratch)
        if journaled is not None and not self._is_recorded(journaled):
            error = "The walk was gone before this run was recorded; it was fitted again."
            told = [point.seconds for points in journaled.run.metrics.values() for point in points]
            self._record(journaled, None, RunState.KILLED, error, max(told, default=0.0))
        forget_journal(self._scratch)

    def _is_recorded(self, journaled: Journaled) -> bool:
        """Tell whether the walk was gone only after it had recorded the run."""
        recent = self._walk.where.shelf.ledger.records.latest("training-run", subject=self._project, limit=_RECENT)
        runs = [parse(one.body, TrainingRun) for one in recent]
        return any((one.line, one.began_at) == (self._walk.line.id, journaled.at) for one in runs)

    def _keep(self, found: Fit | None, error: str) -> Digest | None:
        """Record the run; None where none began."""
        journaled = read_journal(self._scratch)
        if journaled is None:
            return None
        failed = RunState.FAILED if journaled.ended else RunState.KILLED
        lasted = (self._walk.where.clock() - journaled.at).total_seconds()
        kept = self._record(journaled, found, RunState.FINISHED if found else failed, error, lasted)
        forget_journal(self._scratch)
        self._walk.tell(Told(station="training", state="going", share=1, text=f"lockgate runs show {short(kept)}"))
        return kept

    def _record(self, journaled: Journaled, found: Fit | None, state: RunState, error: str, lasted: float) -> Digest:
        line, blobs, ended = self._walk.line, self._walk.where.shelf.blobs, journaled.ended
        metrics = journaled.run.metrics
        return self._walk.keep(
            TrainingRun(
                project=self._project,
                model=digest_of(self._model),
                training_set=self._training_set,
                code=line.code,
                commit=line.commit,
                dirty=line.dirty,
                environment=line.environment,
                parameters=self._model.parameters,
                whole_floats=self._model.whole_floats,
                state=state,
                error=error[:_LONGEST_ERROR],
                fitted=found.fitted if found else "",
                metrics={name: _summary(points) for name, points in metrics.items()},
                curves=blobs.put(canonical(_curves(metrics))) if metrics else None,
                artifacts={
                    name: Artifact(digest=blobs.put_file(path), size=journaled.run.artifacts[name])
                    for name, path in journaled.files.items()
                },
                tags=journaled.run.tags,
                output=blobs.put_file(self._scratch / _OUTPUT),
                machine=machine(),
                line=line.id,
                by=line.by,
                began_at=journaled.at,
                seconds=found.seconds if found else ended.seconds if ended else lasted,
                cpu_seconds=ended.cpu_seconds if ended else None,
                peak_memory=ended.peak_memory if ended else 0,
            ),
            subject=self._project,
        )


def _summary(points: Sequence[Point]) -> MetricSummary:
    finite = [point.value for point in points if math.isfinite(point.value)]
    return MetricSummary(
        points=len(points),
        last=said(points[-1].value),
        step=points[-1].step,
        least=min(finite, default=None),
        greatest=max(finite, default=None),
    )


def _curves(metrics: dict[str, list[Point]]) -> Curves:
    return Curves(
        metrics={
            name: Curve(
                steps=tuple(point.step for point in points),
                values=tuple(said(point.value) for point in points),
                seconds=tuple(point.seconds for point in points),
            )
            for name, points in metrics.items()
        }
    )
