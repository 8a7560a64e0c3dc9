"""Who may act: walks, each under a lease of its own, and who frees space, under one that nobody else acts beside.

- A lease whose owner is a process of this host that is gone is free at once; another one when it ends.
- Who sweeps takes the sweep's lease and then looks for walks; a walk takes its own and then looks for a sweep. So of
  two who begin at once at least one sees the other, and steps back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from lockgate.engine.installation import Installation
from lockgate.engine.walk import LEASE_SPAN, owner_is_dead, this_owner
from lockgate.kernel.errors import Conflict
from lockgate.ledger.protocols import Lease

__all__ = ["PIN", "SWEEP", "is_held", "is_swept", "pinning", "take"]

SWEEP = "sweep"
"""The name of the lease of who frees space."""

PIN = "pin"
"""The name of the lease of who copies a snapshot by hand: blobs that are stored outside a walk."""

_LONGEST_COPY = timedelta(hours=1)


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


@contextmanager
def pinning(where: Installation) -> Iterator[None]:
    """Store blobs outside a walk, beside no sweep.

    Raises:
        Conflict: somebody does so already, or frees space.
    """
    lease = take(where, PIN, _LONGEST_COPY)
    if lease is None:
        msg = "Somebody copies a snapshot already"
        raise Conflict(msg, expected="nobody", found="a lease that is held", way_out="Wait until that is done.")
    try:
        if is_swept(where):
            msg = "Nothing is copied while space is freed"
            raise Conflict(msg, expected="no sweep", found="one under way", way_out="Wait until that is done.")
        yield
    finally:
        where.shelf.ledger.leases.release(lease)
