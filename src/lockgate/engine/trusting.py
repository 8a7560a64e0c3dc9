"""Keys of an installation: what it signs with, whom it believes, and what rests on each of them.

- What is live and would not be loaded any more is named before a key is taken out; unless that is insisted on, it stays.
- The key that the installation signs with is not taken out: all that it signs would be refused. It is replaced first.
- What a replaced key signed is still loaded. Shipped again, it is stated anew and signed by the new key: then the old one
  can go. The same holds for what nobody who is trusted signed any more.
- Every change is kept with who made it. The folders may be changed by hand as well; they decide, not the record of it.
"""

from collections.abc import Iterable

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lockgate.engine.delivery import current_plan, endpoint_names
from lockgate.engine.installation import Installation
from lockgate.kernel.canonical import Digest, parse
from lockgate.kernel.errors import Conflict, LockgateError, NotFound, Refused, Untrusted
from lockgate.kernel.names import nearest
from lockgate.packages.keys import distrust_key, renew_key, signing_key_id, trust_key
from lockgate.packages.signing import Trust, public_pem, signers
from lockgate.records.release import KeyChange, Release

__all__ = [
    "Distrusted",
    "KeySeen",
    "distrust",
    "keys_of",
    "needs_signing",
    "new_key",
    "refuse_unless_trusted",
    "signer_of",
    "trust",
]

_ALL = 100_000
_SHORTEST = 8


class KeySeen(msgspec.Struct, kw_only=True):
    """A key, and what rests on it."""

    # Its id.
    key: str
    # Whether this installation signs with it, and whether what it signed is loaded here.
    signing: bool
    trusted: bool
    # Its public half, as PEM; empty where nobody here has it.
    public_key: str
    # How many releases it signed; those that are live or can be gone back to, such as `parcels v3`.
    releases: int
    live: list[str]
    previous: list[str]
    # What was done with it here, newest first.
    changes: list[KeyChange]


class Distrusted(msgspec.Struct, kw_only=True):
    """A key that was taken out, and what is not loaded any more."""

    key: str
    # Releases such as `parcels v3` that are live, and those that could be gone back to.
    live: list[str]
    previous: list[str]
    # Waivers that do not count any more: the gates that are shut, by endpoint.
    waivers: list[str]


def keys_of(where: Installation) -> list[KeySeen]:
    """Give every key that is known here: the one that is signed with first, then those that are trusted."""
    known, changes = Trust.read(where.state.trust).keys, _changes(where)
    signed = {digest: key for digest in _releases(where) for key in _claimed(where, digest)}
    own = signing_key_id(where.state)
    found = dict.fromkeys([own, *known, *(one.key for one in changes), *signed.values()])
    return [
        KeySeen(
            key=key,
            signing=key == own,
            trusted=key in known,
            public_key=_pem(key, known, changes),
            releases=sum(one == key for one in signed.values()),
            live=[name for name, digest in _planned(where, "live") if signed.get(digest) == key],
            previous=[name for name, digest in _planned(where, "previous") if signed.get(digest) == key],
            changes=[one for one in changes if one.key == key],
        )
        for key in found
    ]


def new_key(where: Installation, *, by: str) -> KeySeen:
    """Sign with another key from now on; what the old one signed is still loaded."""
    old = signing_key_id(where.state)
    pem = next(one.public_key for one in keys_of(where) if one.key == old)
    made = renew_key(where.state)
    _keep(where, old, "replaced", by, pem=pem)
    _keep(where, made, "made", by)
    return _seen(where, made)


def trust(where: Installation, pem: str, *, by: str) -> KeySeen:
    """Load from now on what a key signed, by its public half.

    Raises:
        Refused: it is a private key.
        Malformed: it is no public key.
    """
    before = Trust.read(where.state.trust).keys
    key = trust_key(where.state, pem.encode())
    if key not in before:
        _keep(where, key, "trusted", by)
    return _seen(where, key)


def distrust(where: Installation, key: str, *, force: bool, by: str) -> Distrusted:
    """Load no more what a key signed.

    Raises:
        NotFound: no key that is trusted begins like this, or several do.
        Refused: it is the one that this installation signs with.
        Conflict: a live release rests on it, and `force` was not said.
    """
    believed = Trust.read(where.state.trust)
    found = _find(believed.keys, key)
    if found == signing_key_id(where.state):
        msg = f"Key {found[:16]} is what this installation signs with"
        hint = "lockgate key new puts another one in its place; then it can be taken out."
        raise Refused(msg, expected="another key", found=found, way_out=hint)
    rest = believed.without(found)
    lost = Distrusted(
        key=found,
        live=_lost(where, "live", believed, rest),
        previous=_lost(where, "previous", believed, rest),
        waivers=_lost_waivers(where, found),
    )
    if lost.live and not force:
        msg = f"{', '.join(lost.live)} would not be loaded any more: key {found[:16]} signed what is live"
        hint = (
            "Ship each again first: it is then signed by the key of this installation. Or say --force: workers that run"
            " go on with what they verified, and one that starts loads none of it."
        )
        raise Conflict(msg, expected="a key that nothing live rests on", found=found, way_out=hint)
    pem = public_pem(believed.keys[found]).decode()
    distrust_key(where.state, found)
    _keep(where, found, "distrusted", by, pem=pem)
    return lost


def signer_of(where: Installation, release: Digest) -> str:
    """Give the key by which a release is believed here; empty where it is not."""
    return _signer(where, release, Trust.read(where.state.trust))


def needs_signing(where: Installation, release: Digest) -> bool:
    """Tell whether a release should be stated anew: nobody who is trusted signed it, or a key that was replaced here."""
    signer = signer_of(where, release)
    return not signer or any((one.key, one.what) == (signer, "replaced") for one in _changes(where))


def refuse_unless_trusted(where: Installation, release: Digest) -> None:
    """Refuse to put in force what no worker would load.

    Raises:
        Untrusted: nobody who is trusted here signed it.
    """
    if signer_of(where, release):
        return
    name = where.shelf.get(Release, release).name
    claimed = ", ".join(key[:16] for key in _claimed(where, release))
    msg = f"{name} was signed by nobody who is trusted here; no worker that starts would load it"
    hint = "Trust its key again (lockgate key show KEY prints it, lockgate key trust FILE), or ship another release."
    raise Untrusted(msg, expected="a release that is loaded", found=f"signed by {claimed or 'nobody'}", way_out=hint)


def _find(known: Iterable[str], text: str) -> str:
    found = [key for key in known if len(text) >= _SHORTEST and key.startswith(text.lower())]
    if len(found) == 1:
        return found[0]
    msg = f"No key that is trusted here is meant by {text!r}" if not found else f"Several keys begin with {text}"
    hint = nearest(text, [key[:16] for key in known])
    expected = f"the id of a key, or its first {_SHORTEST} digits or more"
    raise NotFound(msg, expected=expected, found=text, way_out=hint)


def _seen(where: Installation, key: str) -> KeySeen:
    return next(one for one in keys_of(where) if one.key == key)


def _keep(where: Installation, key: str, what: str, by: str, *, pem: str = "") -> None:
    now = where.clock()
    pem = pem or public_pem(Trust.read(where.state.trust).keys[key]).decode()
    change = KeyChange(installation=where.name, key=key, public_key=pem, what=what, by=by, at=now)
    where.shelf.keep(change, subject=where.name, by=by, at=now)


def _changes(where: Installation) -> list[KeyChange]:
    stored = where.shelf.ledger.records.latest("key-change", subject=where.name, limit=_ALL)
    return [parse(one.body, KeyChange) for one in stored]


def _releases(where: Installation) -> list[Digest]:
    return [one.id for one in where.shelf.ledger.records.latest("release", limit=_ALL)]


def _planned(where: Installation, level: str) -> list[tuple[str, Digest]]:
    """Give what plans name at a level, with its name for people."""
    plans = [plan for name in endpoint_names(where) if (plan := current_plan(where, name)) is not None]
    named: list[tuple[str, Digest | None]] = [(plan.endpoint, getattr(plan, level)) for plan in plans]
    return [(f"{name} {where.shelf.get(Release, digest).name}", digest) for name, digest in named if digest]


def _lost(where: Installation, level: str, before: Trust, after: Trust) -> list[str]:
    """Name what is believed before, and not after."""
    return [
        name
        for name, digest in _planned(where, level)
        if _signer(where, digest, before) and not _signer(where, digest, after)
    ]


def _lost_waivers(where: Installation, key: str) -> list[str]:
    return [
        f"{endpoint}: {waiver.gate}"
        for endpoint in endpoint_names(where)
        for digest, waiver in where.shelf.waivers(endpoint).items()
        if waiver.until > where.clock() and _claimed(where, digest) == (key,)
    ]


def _signer(where: Installation, said: Digest, believed: Trust) -> str:
    envelope = where.shelf.ledger.records.get("envelope", said)
    if envelope is None:
        return ""
    try:
        return believed.signer(envelope.body)
    except LockgateError:
        return ""


def _claimed(where: Installation, said: Digest) -> tuple[str, ...]:
    envelope = where.shelf.ledger.records.get("envelope", said)
    return signers(envelope.body) if envelope is not None else ()


def _pem(key: str, known: dict[str, Ed25519PublicKey], changes: list[KeyChange]) -> str:
    if key in known:
        return public_pem(known[key]).decode()
    return next((one.public_key for one in changes if one.key == key), "")
