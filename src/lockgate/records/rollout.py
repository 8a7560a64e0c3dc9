"""Endpoints, and the traffic plans that their workers obey."""

import enum

import msgspec

from lockgate.kernel.canonical import Digest, Instant, Record

__all__ = ["Endpoint", "Experiment", "LiveLevel", "Region", "Share", "TrafficPlan"]


class LiveLevel(enum.Enum):
    """How far a live release is trusted."""

    PROVISIONAL = "provisional"  # live, but no baseline is armed: no page is raised, no later rollout passes canary
    LIVE = "live"  # live, with an armed baseline


class Endpoint(Record, tag="endpoint/1", frozen=True, kw_only=True):
    """A name that answers."""

    # Its name; the project's.
    name: str
    # Whether it is told event times freely, to replay history; such an endpoint is never trusted with the present.
    replay: bool
    # Who made it, and when.
    by: str
    at: Instant


class Share(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A release and its part of the traffic."""

    # The release.
    release: Digest
    # Its share of requests, 0 to 1.
    share: float


class Experiment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An A/B test: arms, each caller sticky to one."""

    # Its name; salts the assignment.
    name: str
    # The arms; shares sum to 1.
    arms: tuple[Share, ...]
    # The request field that assigns.
    sticky_by: str


class Region(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a region does differently."""

    # The release that is live there.
    live: Digest
    # Its part of the region's traffic moves with these.
    canaries: tuple[Share, ...] = ()


class TrafficPlan(Record, tag="traffic-plan/1", frozen=True, kw_only=True):
    """Which release answers. Immutable and numbered; a change is a new plan, put in place by compare-and-swap."""

    # The endpoint's name.
    endpoint: str
    # Counts an endpoint's plans from 1.
    number: int
    # The release that answers.
    live: Digest
    # How far it is trusted.
    level: LiveLevel
    # The release that answered before and is kept loaded; what a rollback goes back to.
    previous: Digest | None = None
    # Releases on trial with a share of the traffic.
    canaries: tuple[Share, ...] = ()
    # Releases that are asked too, but whose answers nobody gets.
    shadows: tuple[Share, ...] = ()
    # A/B tests.
    experiments: tuple[Experiment, ...] = ()
    # What regions do differently, by name.
    regions: dict[str, Region] = {}
    # Why this plan.
    reason: str
    # Who wanted it, and when.
    by: str
    at: Instant

    def releases(self) -> tuple[Digest, ...]:
        """Every release a worker must have loaded, the live one first, none twice."""
        shares = (*self.canaries, *self.shadows, *(arm for test in self.experiments for arm in test.arms))
        named = [self.live, *([self.previous] if self.previous else []), *(share.release for share in shares)]
        return tuple(dict.fromkeys(named))
