"""What there is to see of an installation: endpoints, their plans and releases, and how they do."""

from datetime import datetime
from typing import Any

import msgspec

from lockgate.engine.checking import summed_up
from lockgate.engine.delivery import ask_supervisor, current_plan, endpoint_names, find_endpoint
from lockgate.engine.installation import Installation
from lockgate.engine.origin import imported_from
from lockgate.engine.trusting import signer_of
from lockgate.engine.waiving import WaiverSeen, waivers_by_gate, waivers_of
from lockgate.kernel.canonical import Digest, Instant, parse
from lockgate.monitoring.daily import Cohorts, read_cohorts
from lockgate.packages.folder import PackageReader
from lockgate.packages.runtime import CONTRACT
from lockgate.records.check import CheckReport
from lockgate.records.features import TrainingSet
from lockgate.records.line import Line, LineEnd
from lockgate.records.monitoring import DailyMetric
from lockgate.records.package import Contract
from lockgate.records.release import Release
from lockgate.records.rollout import TrafficPlan
from lockgate.records.training import TrainingRun
from lockgate.records.verdict import GateVerdict

__all__ = [
    "EndpointMetrics",
    "EndpointStatus",
    "Overview",
    "ReleaseSeen",
    "WalkSeen",
    "endpoint_status",
    "metrics_of",
    "overview",
    "release_seen",
    "walk_seen",
]


class GateResult(msgspec.Struct, kw_only=True):
    """A gate's verdict about a release."""

    gate: str
    verdict: str
    expected: str
    found: str
    note: str
    # What a person said where it does not open; None where it does.
    waiver: WaiverSeen | None = None


class CheckSeen(msgspec.Struct, kw_only=True):
    """What the checks of one stage saw, for people."""

    # The stage: `weather as kept`.
    place: str
    verdict: str
    # In words: rows in and out, rules, what warned.
    found: str


class ReleaseSeen(msgspec.Struct, kw_only=True):
    """A release of an endpoint."""

    release: Digest
    version: str
    # `live`, `previous`, `retired`, or `released` where it never answered; at a past moment what the plan made of it.
    level: str
    package: Digest
    commit: str
    dirty: bool
    # What was brought, where the model was not fitted here; else empty.
    imported: str
    by: str
    at: Instant
    # The key by which it is believed here; empty where it is not, and no worker that starts loads it.
    signed_by: str
    training_rows: int
    learnt_until: Instant
    snapshots: dict[str, Digest]
    checks: list[CheckSeen]
    gates: list[GateResult]


class EndpointStatus(msgspec.Struct, kw_only=True):
    """An endpoint."""

    name: str
    replay: bool
    plan: TrafficPlan | None
    plans: list[TrafficPlan]
    releases: list[ReleaseSeen]
    # Every waiver that was given, newest first, whether a release states it or not.
    waivers: list[WaiverSeen]


class WalkSeen(msgspec.Struct, kw_only=True):
    """A walk of the line."""

    id: str
    folder: str
    commit: str
    by: str
    at: Instant
    # `unfinished`, `released`, `taken`, `rebuilt`, `stopped` or `failed`.
    result: str
    reason: str


class Overview(msgspec.Struct, kw_only=True):
    """An installation."""

    endpoints: list[EndpointStatus]
    walks: list[WalkSeen]
    # What the supervisor says of its processes; None where it is not running.
    running: dict[str, Any] | None


class EndpointMetrics(msgspec.Struct, kw_only=True):
    """How an endpoint's releases do, day by day."""

    endpoint: str
    watermark: Instant | None
    predictions: int
    outcomes_joined: int
    outcomes_unmatched: int
    days: list[DailyMetric]


def overview(where: Installation, walks: int = 10) -> Overview:
    """Give what there is to see."""
    recent = where.shelf.ledger.records.latest("line", limit=walks)
    return Overview(
        endpoints=[endpoint_status(where, name) for name in endpoint_names(where)],
        walks=[walk_seen(where, parse(one.body, Line)) for one in recent],
        running=ask_supervisor(where, {"do": "status"}),
    )


def walk_seen(where: Installation, line: Line) -> WalkSeen:
    """Give a walk with how it ended."""
    ended = where.shelf.ledger.records.get("line-end", line.id)
    end = parse(ended.body, LineEnd) if ended else None
    return WalkSeen(
        id=line.id,
        folder=line.folder,
        commit=line.commit,
        by=line.by,
        at=line.at,
        result=end.result if end else "unfinished",
        reason=end.reason if end else "",
    )


def endpoint_status(where: Installation, name: str) -> EndpointStatus:
    """Give an endpoint's plans and releases, newest first.

    Raises:
        NotFound: there is none of that name.
    """
    endpoint = find_endpoint(where, name)
    plan = current_plan(where, name)
    moves = where.shelf.ledger.pointers.history(f"plan/{name}")
    plans = [where.shelf.get(TrafficPlan, move.value) for move in reversed(moves)]
    levels: dict[Digest | None, str] = dict.fromkeys((one.live for one in plans), "retired")
    if plan is not None:
        levels |= {plan.previous: "previous", plan.live: "live"}
    stored = where.shelf.ledger.records.latest("release", subject=name, limit=1000)
    return EndpointStatus(
        name=name,
        replay=endpoint.replay,
        plan=plan,
        plans=plans,
        releases=[release_seen(where, one.id, levels.get(one.id, "released")) for one in stored],
        waivers=waivers_of(where, name),
    )


def release_seen(where: Installation, digest: Digest, level: str, at: datetime | None = None) -> ReleaseSeen:
    """Give a release with what its gates saw; its waivers as they stood at a moment, else now."""
    shelf = where.shelf
    release = shelf.get(Release, digest)
    rows = shelf.get(TrainingSet, shelf.get(TrainingRun, release.training_run).training_set)
    verdicts = [shelf.get(GateVerdict, one) for one in release.verdicts]
    waivers = waivers_by_gate(where, release, at)
    return ReleaseSeen(
        release=digest,
        version=release.name,
        level=level,
        package=release.package,
        commit=release.commit,
        dirty=release.dirty,
        imported=imported_from(where, release),
        by=release.by,
        at=release.at,
        signed_by=signer_of(where, digest),
        training_rows=rows.train_rows,
        learnt_until=rows.test_from,
        snapshots=rows.snapshots,
        checks=[_check(where, digest) for one in verdicts if one.gate == "data checks" for digest in one.evidence],
        gates=[
            GateResult(
                gate=one.gate,
                verdict=one.verdict.value,
                expected=one.expected,
                found=one.found,
                note=one.note,
                waiver=None if one.verdict.opens else waivers.get(one.gate),
            )
            for one in verdicts
        ],
    )


def _check(where: Installation, digest: Digest) -> CheckSeen:
    report = where.shelf.get(CheckReport, digest)
    return CheckSeen(place=report.place, verdict=report.verdict.value, found=summed_up(report))


def metrics_of(where: Installation, name: str) -> EndpointMetrics:
    """Give an endpoint's daily metrics.

    Raises:
        NotFound: there is none of that name.
    """
    status = endpoint_status(where, name)
    cohorts = read_cohorts(name, where.state.log / name)
    return EndpointMetrics(
        endpoint=name,
        watermark=cohorts.watermark,
        predictions=cohorts.predictions,
        outcomes_joined=cohorts.joined,
        outcomes_unmatched=cohorts.unmatched,
        days=_days(where, status, cohorts),
    )


def _days(where: Installation, status: EndpointStatus, cohorts: Cohorts) -> list[DailyMetric]:
    if status.plan is None:
        return []
    package = where.shelf.get(Release, status.plan.live).package
    contract = parse(PackageReader(where.shelf.unpack(package), package).read(CONTRACT), Contract)
    return cohorts.daily(
        contract.outcome,
        task=contract.task,
        threshold=contract.threshold,
        timezone=contract.features.timezone,
        versions={one.release: int(one.version.removeprefix("v")) for one in status.releases},
    )
