"""What there is to see of training runs: a page of them, one in full, its curves and its artifacts.

A page goes through the ledger once, newest first, from where the page before it ended, and stops when it is full.
"""

from typing import Any

import msgspec

from lockgate.engine.installation import Installation
from lockgate.engine.naming import find_release
from lockgate.engine.runs.grammar import parse_search
from lockgate.engine.runs.matching import matches
from lockgate.kernel.canonical import Digest, Instant, parse
from lockgate.kernel.errors import Conflict, NotFound
from lockgate.kernel.names import nearest
from lockgate.records.features import TrainingSet
from lockgate.records.release import Release
from lockgate.records.training import Artifact, Curve, Curves, Environment, Machine, MetricSummary, TrainingRun

__all__ = [
    "RunPage",
    "RunSeen",
    "RunShown",
    "artifact_of",
    "curves_of",
    "find_run",
    "list_runs",
    "run_seen",
    "show_run",
    "versions_of",
]

_ALL = 100_000
_BATCH = 500
_SHORTEST = 4
_LAST_PRINTED = 2_000


class RunSeen(msgspec.Struct, kw_only=True):
    """A run in a list."""

    run: Digest
    # The project's name.
    model: str
    state: str
    # The first line of why it did not finish; empty where it did.
    error: str
    # The name of its release, such as `v3`; empty for none.
    version: str
    began_at: Instant | None
    seconds: float
    commit: str
    dirty: bool
    by: str
    parameters: dict[str, Any]
    metrics: dict[str, MetricSummary]
    tags: dict[str, str]


class RunPage(msgspec.Struct, kw_only=True):
    """Some runs, newest first."""

    runs: list[RunSeen]
    # How many were looked at.
    looked_at: int
    # Where the next page begins; None where there is none.
    before: int | None


class RunShown(RunSeen, kw_only=True):
    """A run in full."""

    # All of the error.
    why: str
    line: str
    fitted: str
    artifacts: dict[str, Artifact]
    code: Digest
    training_set: Digest
    # By source.
    snapshots: dict[str, Digest]
    training_rows: int
    environment: Digest
    python: str
    # How many distributions there were.
    distributions: int
    machine: Machine
    cpu_seconds: float | None
    peak_memory: int
    # What was printed, and the end of it.
    output: Digest
    printed: str


def list_runs(
    where: Installation,
    *,
    model: str | None = None,
    search: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> RunPage:
    """Give runs, newest first.

    Args:
        where: the installation.
        model: only those of one project's model.
        search: only those that it holds for.
        before: only those before this place, which the page before says.
        limit: how many.

    Raises:
        Invalid: the search can't be read.
    """
    wanted = parse_search(search) if search else None
    versions, page = versions_of(where, model), RunPage(runs=[], looked_at=0, before=None)
    records = where.shelf.ledger.records
    while batch := records.latest("training-run", subject=model, before=before, limit=_BATCH):
        for stored in batch:
            if len(page.runs) == limit:
                return page
            before = stored.sequence
            run, version = parse(stored.body, TrainingRun), versions.get(stored.id, "")
            page.looked_at += 1
            if wanted is None or matches(wanted, run, version):
                page.runs.append(run_seen(stored.id, run, version))
                page.before = before
    page.before = None
    return page


def versions_of(where: Installation, model: str | None = None) -> dict[Digest, str]:
    """Give the name of the newest release of each run that has one, by the run's id."""
    stored = where.shelf.ledger.records.latest("release", subject=model, limit=_ALL)
    releases = [parse(one.body, Release) for one in reversed(stored)]
    return {one.training_run: one.name for one in releases}


def run_seen(digest: Digest, run: TrainingRun, version: str) -> RunSeen:
    """Give what a list shows of a run."""
    return RunSeen(
        run=digest,
        model=run.project,
        state=run.state.value,
        error=run.error.partition("\n")[0],
        version=version,
        began_at=run.began_at,
        seconds=run.seconds,
        commit=run.commit,
        dirty=run.dirty,
        by=run.by,
        parameters=run.given(),
        metrics=run.metrics,
        tags=run.tags,
    )


def find_run(where: Installation, wanted: str) -> tuple[Digest, TrainingRun]:
    """Give the run that is meant.

    Args:
        where: the installation.
        wanted: its id, or how that begins; an endpoint, or `endpoint@v2`, for the run of that release.

    Raises:
        NotFound: there is none.
        Conflict: several begin so.
    """
    records = where.shelf.ledger.records
    exact = records.get("training-run", wanted)
    if exact is not None:
        return wanted, parse(exact.body, TrainingRun)
    found = _beginning_with(where, wanted.removeprefix("sha256:"))
    if len(found) > 1:
        msg = f"Several runs begin with {wanted}"
        raise Conflict(msg, expected="one", found=", ".join(sorted(found)), way_out="Write more of its id.")
    if found:
        return next(iter(found.items()))
    try:
        digest = where.shelf.get(Release, find_release(where, wanted)).training_run
    except NotFound as error:
        msg = f"There is no run {wanted}"
        expected = "its id or how that begins, an endpoint, or endpoint@v2"
        raise NotFound(msg, expected=expected, found=wanted, way_out="lockgate runs list") from error
    return digest, where.shelf.get(TrainingRun, digest)


def _beginning_with(where: Installation, beginning: str) -> dict[Digest, TrainingRun]:
    found: dict[Digest, TrainingRun] = {}
    after, records = 0, where.shelf.ledger.records
    while len(beginning) >= _SHORTEST and (page := records.list("training-run", after=after)):
        after = page[-1].sequence
        named = [one for one in page if one.id.removeprefix("sha256:").startswith(beginning)]
        found |= {one.id: parse(one.body, TrainingRun) for one in named}
    return found


def show_run(where: Installation, wanted: str) -> RunShown:
    """Give a run in full.

    Raises:
        NotFound, Conflict: as `find_run`.
    """
    digest, run = find_run(where, wanted)
    rows = where.shelf.get(TrainingSet, run.training_set)
    environment = where.shelf.get(Environment, run.environment)
    seen = run_seen(digest, run, versions_of(where, run.project).get(digest, ""))
    return RunShown(
        **msgspec.structs.asdict(seen),
        why=run.error,
        line=run.line,
        fitted=run.fitted,
        artifacts=run.artifacts,
        code=run.code,
        training_set=run.training_set,
        snapshots=rows.snapshots,
        training_rows=rows.train_rows,
        environment=run.environment,
        python=environment.python,
        distributions=len(environment.packages),
        machine=run.machine,
        cpu_seconds=run.cpu_seconds,
        peak_memory=run.peak_memory,
        output=run.output,
        printed=where.shelf.blobs.get(run.output).decode(errors="replace")[-_LAST_PRINTED:],
    )


def curves_of(where: Installation, wanted: str, most: int | None = None) -> dict[str, Curve]:
    """Give the points of every metric of a run, by its name.

    Args:
        where: the installation.
        wanted: as in `find_run`.
        most: how many points of each, evenly picked, the first and the last among them; all if left out.

    Raises:
        NotFound, Conflict: as `find_run`.
    """
    _, run = find_run(where, wanted)
    if run.curves is None:
        return {}
    curves = parse(where.shelf.blobs.get(run.curves), Curves, digest=run.curves).metrics
    return {name: _thinned(curve, most) for name, curve in curves.items()}


def _thinned(curve: Curve, most: int | None) -> Curve:
    last = len(curve.steps) - 1
    if most is None or last < most:
        return curve
    places = [round(place * last / (most - 1)) for place in range(most)]
    return Curve(
        steps=tuple(curve.steps[place] for place in places),
        values=tuple(curve.values[place] for place in places),
        seconds=tuple(curve.seconds[place] for place in places),
    )


def artifact_of(where: Installation, wanted: str, name: str) -> bytes:
    """Give the bytes of an artifact, verified.

    Raises:
        NotFound: the run kept none of that name, or as `find_run`.
    """
    digest, run = find_run(where, wanted)
    found = run.artifacts.get(name)
    if found is None:
        msg = f"Run {digest} kept no {name}"
        raise NotFound(msg, expected="an artifact", found=name, way_out=nearest(name, run.artifacts))
    return where.shelf.blobs.get(found.digest)
