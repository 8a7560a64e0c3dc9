"""Who may do what: tokens and scopes.

- A token is shown once, when it is made; only its sha256 is kept.
- A grant names the caller; that name stands on every record the caller causes.
- No token, an unknown one and an expired one get the same answer.
- `admin` includes every scope.
"""

import enum
import hashlib
import hmac
import secrets
from datetime import datetime

import msgspec

from lockgate.kernel.canonical import Instant
from lockgate.kernel.errors import Forbidden, Unauthenticated

__all__ = ["Access", "Grant", "Scope", "mint"]


class Scope(enum.Enum):
    """What a token allows."""

    PREDICT = "predict"  # ask an endpoint for predictions
    OUTCOME = "outcome"  # post what really happened
    EVENT = "event"  # post source rows to the online store
    READ = "read"  # read every record, metric and explanation
    RELEASE = "release"  # ship, promote, roll back
    ADMIN = "admin"  # everything, tokens included


class Grant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one token allows; holds no secret."""

    # Who the caller is, as records will name it.
    name: str
    # sha256 of the token, hexadecimal.
    token_sha256: str
    # What it allows, sorted by name.
    scopes: tuple[Scope, ...]
    # When it stops working; None for never.
    expires_at: Instant | None = None


def mint(name: str, scopes: frozenset[Scope], expires_at: datetime | None = None) -> tuple[str, Grant]:
    """Make a new token: the secret to hand over, and the grant to keep."""
    token = f"lg_{secrets.token_urlsafe(32)}"
    return token, Grant(
        name=name,
        token_sha256=_fingerprint(token),
        scopes=tuple(sorted(scopes, key=lambda scope: scope.value)),
        expires_at=expires_at,
    )


class Access:
    """Checks callers against a table of grants.

    Args:
        grants: the table; hand over a new `Access` when it changes.
    """

    def __init__(self, grants: tuple[Grant, ...]) -> None:
        """Index by fingerprint."""
        self._grants = {grant.token_sha256: grant for grant in grants}

    def check(self, authorization: str | None, scope: Scope, now: datetime) -> str:
        """Give the caller's name, for the value of an `Authorization` header.

        Raises:
            Unauthenticated: no token, or none that works.
            Forbidden: the token works, but not for this.
        """
        grant = self._find(authorization)
        if grant is None or (grant.expires_at is not None and now >= grant.expires_at):
            msg = "No valid token came with this request"
            raise Unauthenticated(
                msg,
                expected="the header 'Authorization: Bearer <token>'",
                found="no such header" if authorization is None else "a token that is unknown here or has expired",
                way_out="The local user's token is in access/token of the state folder; more: lockgate token new.",
            )
        if scope not in grant.scopes and Scope.ADMIN not in grant.scopes:
            msg = f"{grant.name} may not do this"
            raise Forbidden(
                msg,
                expected=f"a token with scope '{scope.value}'",
                found=", ".join(s.value for s in grant.scopes) or "no scope",
                way_out=f"Ask for one: lockgate token new NAME --scope {scope.value}.",
            )
        return grant.name

    def _find(self, authorization: str | None) -> Grant | None:
        kind, _, token = (authorization or "").partition(" ")
        if kind.lower() != "bearer" or not token:
            return None
        fingerprint = _fingerprint(token.strip())
        grant = self._grants.get(fingerprint)
        return grant if grant is not None and hmac.compare_digest(grant.token_sha256, fingerprint) else None


def _fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
