"""Decides traffic plans.

- A plan is never edited; a change is the next number.
- What was live becomes `previous` and stays loaded, so that going back loads nothing.
- The first release goes live provisionally; with no baseline armed, so does every later one.
- A rollback goes to `previous` only: the release that is known to be loaded. Rolling back twice is where it began.
"""

from datetime import datetime

from lockgate.kernel.canonical import Digest, short
from lockgate.kernel.errors import Conflict, Refused
from lockgate.records.rollout import LiveLevel, TrafficPlan

__all__ = ["go_live", "roll_back"]


def go_live(
    plan: TrafficPlan | None, *, endpoint: str, release: Digest, reason: str, by: str, at: datetime
) -> TrafficPlan:
    """Put a release live.

    Raises:
        Conflict: it is live already.
    """
    if plan is not None and plan.live == release:
        msg = f"{short(release)} is live already on {endpoint}"
        raise Conflict(msg, expected="another release", found=f"plan {plan.number}")
    return TrafficPlan(
        endpoint=endpoint,
        number=plan.number + 1 if plan else 1,
        live=release,
        level=LiveLevel.PROVISIONAL,
        previous=plan.live if plan else None,
        reason=reason,
        by=by,
        at=at,
    )


def roll_back(plan: TrafficPlan, *, reason: str, by: str, at: datetime) -> TrafficPlan:
    """Put the previous release back.

    Raises:
        Refused: there is none.
    """
    if plan.previous is None:
        msg = f"{plan.endpoint} has nothing to go back to"
        raise Refused(msg, expected="a previous release", found=f"plan {plan.number}, its first release")
    return TrafficPlan(
        endpoint=plan.endpoint,
        number=plan.number + 1,
        live=plan.previous,
        level=LiveLevel.PROVISIONAL,
        previous=plan.live,
        reason=reason,
        by=by,
        at=at,
    )
