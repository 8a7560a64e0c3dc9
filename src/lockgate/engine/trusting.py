"""Keys of an installation: what it signs with, whom it believes, and what rests on each of them.

- A key that something live rests on is not taken out unless that is insisted on; what would not be loaded is named.
- The key that the installation signs with is not taken out: all that it signs would be refused. It is replaced first.
- What a replaced key signed is still loaded. Shipped again, it is stated anew and signed by the new key: then the old
  one can go. The same holds for what nobody who is trusted signed any more.
- No plan puts back what no worker would load.
- Every change is recorded with who made it, before it is made. The folders may be changed by hand as well; they decide,
  not the record of it.
"""

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lockgate.engine.delivery import current_plan, endpoint_names
from lockgate.engine.installation import Installation
from lockgate.kernel.canonical import Digest, parse
from lockgate.kernel.errors import Conflict, LockgateError, NotFound, Refused, Untrusted
from lockgate.kernel.names import nearest
from lockgate.packages.keys import distrust_key, put_signing_key, signing_key_id, trust_key
from lockgate.packages.signing import Trust, key_id, public_key, public_pem, signers
from lockgate.records.release import KeyChange, KeyDeed, Release

__all__ = [
    "Distrusted",
    "KeySeen",
    "distrust",
    "keys_of",
    "needs_signing",
    "new_key",
    "refuse_unless_trusted",
    "signer_of",
    "signs_with",
    "trust",
]

_ALL = 100_000
_SHORTEST = 8


class KeySeen(msgspec.Struct, kw_only=True):
    """A key, and what rests on it."""

    # Its id.
    key: str
    # Whose it is, in the words of who trusted it; empty where nobody said.
    name: str
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
    name: str
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
            name=_name(key, changes),
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
    old, made = signing_key_id(where.state), Ed25519PrivateKey.generate()
    public = public_pem(made.public_key()).decode()
    _keep(where, old, KeyDeed.REPLACED, by, pem=_seen(where, old).public_key)
    _keep(where, key_id(made.public_key()), KeyDeed.MADE, by, pem=public)
    put_signing_key(where.state, made)
    return _seen(where, key_id(made.public_key()))


def trust(where: Installation, pem: str, name: str, *, by: str) -> KeySeen:
    """Load from now on what a key signed, by its public half; one that is trusted already gets this name.

    Raises:
        Refused: it is a private key.
        Malformed: it is no public key.
        Conflict: another key that is trusted has this name.
    """
    given = public_key(pem.encode(), "What was given")
    key, known = key_id(given), {one.key: one for one in keys_of(where) if one.trusted}
    other = next((one for one in known.values() if one.name == name and one.key != key), None)
    if other is not None:
        msg = f"There is a trusted key named {name} already"
        hint = "Choose another name, or take that one out first: lockgate key distrust."
        raise Conflict(msg, expected="a name of its own", found=f"{name} is key {_short(other.key)}", way_out=hint)
    if key not in known or known[key].name != name:
        _keep(where, key, KeyDeed.TRUSTED, by, pem=public_pem(given).decode(), name=name)
    trust_key(where.state, given)
    return _seen(where, key)


def distrust(where: Installation, key: str, *, even_if_live: bool, by: str) -> Distrusted:
    """Load no more what a key signed; it is meant by its name, its id or the beginning of that.

    Raises:
        NotFound: no key that is trusted is meant, or several are.
        Refused: it is the one that this installation signs with.
        Conflict: a live release rests on it, and `even_if_live` was not said.
    """
    believed, found = Trust.read(where.state.trust), _find(where, key)
    if found.signing:
        msg = f"Key {_short(found.key)} is what this installation signs with"
        hint = "lockgate key new puts another one in its place; then it can be taken out."
        raise Refused(msg, expected="another key", found=found.key, way_out=hint)
    rest = believed.without(found.key)
    lost = Distrusted(
        key=found.key,
        name=found.name,
        live=_lost(where, _planned(where, "live"), believed, rest),
        previous=_lost(where, _planned(where, "previous"), believed, rest),
        waivers=_lost(where, _waived(where), believed, rest),
    )
    if lost.live and not even_if_live:
        also = f"; nor {', '.join(lost.previous)}, which can be gone back to" if lost.previous else ""
        msg = f"{', '.join(lost.live)} would not be loaded any more{also}: key {_short(found.key)} signed what is live"
        hint = (
            "Ship each again first: it is then signed by the key of this installation. Or say --even-if-live: workers"
            " that run go on with what they verified, and one that starts loads none of it."
        )
        raise Conflict(msg, expected="a key that nothing live rests on", found=found.key, way_out=hint)
    _keep(where, found.key, KeyDeed.DISTRUSTED, by, pem=found.public_key, name=found.name)
    distrust_key(where.state, found.key)
    return lost


def signer_of(where: Installation, release: Digest) -> str:
    """Give the key by which a release is believed here; empty where it is not."""
    return _signer(where, release, Trust.read(where.state.trust))


def signs_with(where: Installation) -> str:
    """Give the key that releases are signed with here.

    Raises:
        Refused: it is not trusted here: somebody took it out by hand.
    """
    key = signing_key_id(where.state)
    if key not in Trust.read(where.state.trust).keys:
        msg = "This installation does not trust the key that it signs with, so it would load nothing that it releases"
        hint = "lockgate key new makes another one, which it trusts."
        raise Refused(msg, expected=f"key {_short(key)} in its trust store", found="it is not there", way_out=hint)
    return key


def needs_signing(where: Installation, release: Digest) -> bool:
    """Tell whether a release should be stated anew: a key that was replaced signed it, or nobody who is trusted."""
    signer = signer_of(where, release)
    if signer == signing_key_id(where.state):
        return False
    ours = {one.key for one in _changes(where) if one.deed in {KeyDeed.MADE, KeyDeed.REPLACED}}
    return not signer or signer in ours


def refuse_unless_trusted(where: Installation, release: Digest) -> None:
    """Refuse to put in force what no worker would load.

    Raises:
        Untrusted: nobody who is trusted here signed it.
    """
    if signer_of(where, release):
        return
    name = where.shelf.get(Release, release).name
    claimed = ", ".join(_short(key) for key in _claimed(where, release))
    msg = f"{name} was signed by nobody who is trusted here; no worker that starts would load it"
    hint = (
        "Trust its key again (lockgate key show KEY prints it, lockgate key trust FILE --name WHOSE), or ship another"
        " release."
    )
    raise Untrusted(msg, expected="a release that is loaded", found=f"signed by {claimed or 'nobody'}", way_out=hint)


def _short(key: str) -> str:
    return key[:16]


def _find(where: Installation, text: str) -> KeySeen:
    known = [one for one in keys_of(where) if one.trusted]
    by_id = text.lower() if len(text) >= _SHORTEST else "-"  # with which no id begins
    found = [one for one in known if (text and one.name == text) or one.key.startswith(by_id)]
    if len(found) == 1:
        return found[0]
    msg = f"Several keys are meant by {text!r}" if found else f"No key that is trusted here is meant by {text!r}"
    hint = nearest(text, [one.name or _short(one.key) for one in known])
    expected = f"the name of a key, or its id or the first {_SHORTEST} digits of it or more"
    raise NotFound(msg, expected=expected, found=text, way_out=hint)


def _seen(where: Installation, key: str) -> KeySeen:
    return next(one for one in keys_of(where) if one.key == key)


def _keep(where: Installation, key: str, deed: KeyDeed, by: str, *, pem: str, name: str = "") -> None:
    now = where.clock()
    change = KeyChange(installation=where.name, key=key, public_key=pem, deed=deed, name=name, by=by, at=now)
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


def _waived(where: Installation) -> list[tuple[str, Digest]]:
    """Give the waivers that count now, each with its name for people."""
    return [
        (f"{endpoint}: {waiver.gate}", digest)
        for endpoint in endpoint_names(where)
        for digest, waiver in where.shelf.waivers(endpoint).items()
        if waiver.until > where.clock()
    ]


def _lost(where: Installation, said: list[tuple[str, Digest]], before: Trust, after: Trust) -> list[str]:
    """Name what is believed before, and not after."""
    return [name for name, digest in said if _signer(where, digest, before) and not _signer(where, digest, after)]


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


def _name(key: str, changes: list[KeyChange]) -> str:
    return next((one.name for one in changes if one.key == key and one.name), "")


def _pem(key: str, known: dict[str, Ed25519PublicKey], changes: list[KeyChange]) -> str:
    if key in known:
        return public_pem(known[key]).decode()
    return next((one.public_key for one in changes if one.key == key), "")
