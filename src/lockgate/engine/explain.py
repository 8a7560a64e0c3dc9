"""Explains a prediction: from its id to the commit, the rows and the evidence behind it, in one call."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from lockgate.engine.delivery import endpoint_names
from lockgate.engine.installation import Installation
from lockgate.engine.origin import imported_from
from lockgate.engine.waiving import WaiverSeen, waivers_by_gate
from lockgate.kernel.canonical import Digest, Instant, parse
from lockgate.kernel.errors import NotFound
from lockgate.kernel.ids import id_parts
from lockgate.packages.folder import PackageReader
from lockgate.packages.runtime import CONTRACT
from lockgate.predictionlog.index import LogIndex
from lockgate.predictionlog.outcomes import rank
from lockgate.predictionlog.reading import outcomes
from lockgate.records.features import FieldKind, InputKind, TrainingSet
from lockgate.records.outcome import Outcome
from lockgate.records.package import Contract, Package
from lockgate.records.prediction import Known, Prediction
from lockgate.records.release import Release
from lockgate.records.snapshot import Snapshot
from lockgate.records.training import Environment, TrainingRun
from lockgate.records.verdict import GateVerdict

__all__ = ["Explanation", "explain", "find_prediction"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FeatureSeen(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A column of the matrix."""

    name: str
    # What the model saw; None for a missing value.
    value: float | None
    # The text it is the code of, for a category.
    category: str | None = None
    # For what was looked up or aggregated: the source or the window, when the row (a window's newest) happened and when
    # it could first be known.
    source: str = ""
    event_time: Instant | None = None
    known_since: Instant | None = None


class OutcomeSeen(msgspec.Struct, kw_only=True):
    """What really happened."""

    value: bool | float
    observed_at: Instant
    revision: int | None
    words: int
    by: str


class SnapshotSeen(msgspec.Struct, kw_only=True):
    """A snapshot that the model learnt from."""

    source: str
    snapshot: Digest
    rows: int
    known_until: Instant | None


class GateSeen(msgspec.Struct, kw_only=True):
    """A gate that the release passed, by its verdict or by a waiver."""

    gate: str
    verdict: str
    found: str
    # What a person said where it does not open; None where it does.
    waiver: WaiverSeen | None = None


class Explanation(msgspec.Struct, kw_only=True):
    """All that led to a prediction."""

    prediction: str
    endpoint: str
    # The answer.
    value: bool | float
    score: float
    threshold: float
    version: str
    plan: int
    asked_at: Instant
    received_at: Instant
    by: str
    # The request after parsing, and what the model saw of it.
    request: dict[str, Any]
    features: list[FeatureSeen]
    unseen: tuple[str, ...]
    # Where the model came from.
    package: Digest
    release: Digest
    released_by: str
    released_at: Instant
    commit: str
    dirty: bool
    # What was brought, where the model was not fitted here; else empty.
    imported: str
    gates: list[GateSeen]
    evidence: tuple[Digest, ...]
    training_run: Digest
    fitted: str
    parameters: dict[str, Any]
    training_set: Digest
    training_rows: int
    snapshots: list[SnapshotSeen]
    environment: Digest
    python: str
    # What really happened, if known.
    outcome: OutcomeSeen | None


def explain(where: Installation, prediction_id: str) -> Explanation:
    """Explain a prediction.

    Raises:
        NotFound: no endpoint of this installation has logged it.
    """
    endpoint, found = find_prediction(where, prediction_id)
    shelf = where.shelf
    release_id = f"sha256:{found.release.hex()}"
    release = shelf.get(Release, release_id)
    package = shelf.get(Package, release.package)
    run = shelf.get(TrainingRun, release.training_run)
    rows = shelf.get(TrainingSet, run.training_set)
    environment = shelf.get(Environment, run.environment)
    contract = parse(PackageReader(shelf.unpack(release.package), release.package).read(CONTRACT), Contract)
    verdicts = [shelf.get(GateVerdict, digest) for digest in release.verdicts]
    waivers = waivers_by_gate(where, release)
    return Explanation(
        prediction=found.id,
        endpoint=endpoint,
        value=found.value,
        score=found.score,
        threshold=contract.threshold,
        version=release.name,
        plan=found.plan,
        asked_at=_moment(found.asked_at),
        received_at=_moment(found.received_at),
        by=found.by,
        request=_request(contract, found),
        features=list(_features(contract, found)),
        unseen=found.unseen,
        package=release.package,
        release=release_id,
        released_by=release.by,
        released_at=release.at,
        commit=release.commit,
        dirty=release.dirty,
        imported=imported_from(where, release),
        gates=[_gate(one, waivers) for one in verdicts],
        evidence=release.evidence,
        training_run=release.training_run,
        fitted=run.fitted,
        parameters=package.parameters,
        training_set=run.training_set,
        training_rows=rows.train_rows,
        snapshots=[_snapshot(where, source, digest) for source, digest in sorted(rows.snapshots.items())],
        environment=run.environment,
        python=environment.python,
        outcome=_outcome(outcomes(where.state.log / endpoint), found),
    )


def _gate(verdict: GateVerdict, waivers: dict[str, WaiverSeen]) -> GateSeen:
    waiver = None if verdict.verdict.opens else waivers.get(verdict.gate)
    return GateSeen(gate=verdict.gate, verdict=verdict.verdict.value, found=verdict.found, waiver=waiver)


def find_prediction(where: Installation, prediction_id: str) -> tuple[str, Prediction]:
    """Give the endpoint that logged a prediction, and the prediction.

    Raises:
        NotFound: none did.
    """
    if id_parts(prediction_id) is not None:
        for endpoint in endpoint_names(where):
            found = LogIndex(where.state.log / endpoint).find(prediction_id)
            if found is not None:
                return endpoint, found
    msg = f"There is no prediction {prediction_id}"
    expected = "the id that came with an answer of this installation"
    raise NotFound(msg, expected=expected, found=prediction_id, way_out="Ids look like 019aa5f0-1c2d-7000-8001-5f2e….")


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _request(contract: Contract, found: Prediction) -> dict[str, Any]:
    return {
        field.name: _moment(value) if field.kind is FieldKind.TIME and value is not None else value
        for field, value in zip(contract.request.fields, found.row, strict=True)
    }


def _features(contract: Contract, found: Prediction) -> Iterable[FeatureSeen]:
    known = {one.source: one for one in found.known}
    nothing = Known("", (), None, None)
    for column, value in zip(contract.features.columns, found.x, strict=True):
        words = contract.vocabulary.get(column.name) if column.type is FieldKind.CATEGORY else None
        one = known.get(column.source, nothing) if column.kind in {InputKind.LOOKUP, InputKind.WINDOW} else nothing
        yield FeatureSeen(
            name=column.name,
            value=value,
            category=words[int(value)] if words and value is not None else None,
            source=one.source,
            event_time=None if one.event_time is None else _moment(one.event_time),
            known_since=None if one.available_time is None else _moment(one.available_time),
        )


def _snapshot(where: Installation, source: str, digest: Digest) -> SnapshotSeen:
    found = where.shelf.get(Snapshot, digest)
    return SnapshotSeen(source=source, snapshot=digest, rows=found.rows, known_until=found.known_until)


def _outcome(words: Iterable[Outcome], found: Prediction) -> OutcomeSeen | None:
    about = [
        one
        for one in words
        if one.prediction == found.id
        or (one.prediction is None and one.key == found.key and one.asked_at == found.asked_at)
    ]
    if not about:
        return None
    last = max(enumerate(about), key=lambda pair: (rank(pair[1]), pair[0]))[1]
    return OutcomeSeen(
        value=last.value,
        observed_at=_moment(last.observed_at),
        revision=last.revision,
        words=len(about),
        by=last.by,
    )
