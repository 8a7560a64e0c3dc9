"""Who may act: walks, each under a lease of its own, and who frees space, under one that no walk goes beside.

- A lease whose owner is a process of this host that is gone is free at once; another one when it ends.
- Who sweeps takes the sweep's lease and then looks for walks; a walk takes its own and then looks for a sweep. So of
  two who begin at once at least one sees the other, and steps back.
"""

from datetime import timedelta

from lockgate.engine.installation import Installation
from lockgate.engine.walk import LEASE_SPAN, owner_is_dead, this_owner
from lockgate.ledger.protocols import Lease

__all__ = ["SWEEP", "is_held", "is_swept", "take"]

SWEEP = "sweep"
"""The name of the lease of who frees space."""


def take(where: Installation, name: str, span: timedelta = LEASE_SPAN) -> Lease | None:
    """Take a lease; None while somebody who lives holds it."""
    leases, now = where.shelf.ledger.leases, where.clock()
    held = leases.holder(name)
    if held is not None and held.expires_at > now and owner_is_dead(held.owner):
        leases.release(held)
    return leases.acquire(name, owner=this_owner(), now=now, span=span)


def is_held(where: Installation, name: str) -> bool:
    """Tell whether somebody who lives holds a lease."""
    held = where.shelf.ledger.leases.holder(name)
    return held is not None and held.expires_at > where.clock() and not owner_is_dead(held.owner)


def is_swept(where: Installation) -> bool:
    """Tell whether somebody frees space now."""
    return is_held(where, SWEEP)
