"""What is kept, and what may be deleted: the rules of retention over the ledger, and what they do not reach.

What is kept, each with all that it mentions, at whatever distance:

- `recent`: every record of the time that is kept;
- `plan`: every plan that was in force in that time, so what is live, what can be gone back to, and what was;
- `release`: the newest releases of every endpoint, however old;
- `reading`: the newest reading of every source, where the next one goes on;
- `pin`: every snapshot that was copied by hand;
- `walk`: walks that have not ended, with all that they did.

Records are never deleted. Only blobs are, and the unpacked packages that nothing reaches.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from lockgate.engine.delivery import endpoint_names
from lockgate.engine.installation import Installation
from lockgate.kernel.canonical import Digest, Instant, parse
from lockgate.kernel.errors import Fault, Invalid, NotFound
from lockgate.ledger.protocols import Stored
from lockgate.records.snapshot import Reading
from lockgate.registry.reach import given_up, mentioned_in, path_to, reach, resting_on

__all__ = [
    "GRACE",
    "Garbage",
    "Ground",
    "Kept",
    "Retention",
    "Unreached",
    "find_garbage",
    "garbage_of",
    "read_ground",
    "swept_steps",
    "why_kept",
]

GRACE = timedelta(days=1)
"""How old a blob must be before it can be deleted: what is stored first is named by a record only afterwards."""

_PAGE = 1000
_DIGITS = 64

# What was freed, said afterwards. It keeps nothing: else to say that something goes would keep it.
_ACCOUNTS = {"swept", "sweep"}


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept."""

    # How far back everything is kept.
    keep_for: timedelta = timedelta(days=90)
    # How many releases of each endpoint are kept, however old.
    keep_releases: int = 3


class Unreached(msgspec.Struct, frozen=True, kw_only=True):
    """A blob that may be deleted."""

    digest: Digest
    bytes: int
    stored_at: Instant
    # Why, in words: what mentioned it last, or that nothing ever did.
    why: str


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Why something is kept, or may be deleted."""

    digest: Digest
    # The rule that keeps it; empty where none does.
    rule: str
    # From what the rule names to it, each mentioned by the one before, in words; empty where it is not kept.
    path: list[str]


class Garbage(msgspec.Struct, kw_only=True):
    """What no rule keeps."""

    # Everything since then is kept.
    kept_since: Instant
    keep_releases: int
    # How many names each rule begins from.
    rules: dict[str, int]
    # What stays.
    kept_blobs: int
    kept_bytes: int
    # What no rule reaches, but is too young to be deleted.
    young_blobs: int
    # What may be deleted, the largest first.
    blobs: list[Unreached]
    # Unpacked packages that nothing reaches; each can be unpacked again while its blobs are there.
    packages: list[Digest]
    # How many bytes that frees; unpacked packages aside.
    bytes: int


class Ground(msgspec.Struct, kw_only=True):
    """The ledger, read once: what there is, what mentions what, and what the rules begin from."""

    # Every record, by id; two kinds may share one, as a release and its envelope do.
    records: dict[str, list[Stored]]
    mentions: dict[str, set[str]]
    # The rule that makes a root of each.
    roots: dict[str, str]
    # What is reached, by what mentioned it.
    came_from: dict[str, str]


def read_ground(where: Installation, retention: Retention, now: datetime) -> Ground:
    """Read the ledger, and find what the rules reach.

    Raises:
        Invalid: less than a day or less than one release is to be kept.
    """
    _check(retention)
    ground = Ground(records={}, mentions={}, roots={}, came_from={})
    for stored in _everything(where):
        ground.records.setdefault(stored.id, []).append(stored)
        if stored.kind not in _ACCOUNTS:
            ground.mentions.setdefault(stored.id, set()).update(mentioned_in(stored.body))
    for rule, name in _roots(where, ground, retention, now - retention.keep_for):
        ground.roots.setdefault(name, rule)
    ground.came_from = reach(ground.roots, ground.mentions)
    return ground


def find_garbage(where: Installation, retention: Retention) -> Garbage:
    """Find what no rule keeps; nothing is changed.

    Raises:
        Invalid: less than a day or less than one release is to be kept.
    """
    return garbage_of(where, retention, read_ground(where, retention, where.clock()))


def garbage_of(where: Installation, retention: Retention, ground: Ground) -> Garbage:
    """Give what is not reached, of the blobs and of the unpacked packages."""
    now = where.clock()
    blobs = list(where.shelf.blobs.listing())
    gone = given_up(blobs, ground.came_from, now - GRACE)
    unreached = sum(one.digest not in ground.came_from for one in blobs)
    last = _mentioned_last(ground, {one.digest for one in gone})
    freed = sum(one.bytes for one in gone)
    return Garbage(
        kept_since=now - retention.keep_for,
        keep_releases=retention.keep_releases,
        rules=_count(ground),
        kept_blobs=len(blobs) - len(gone),
        kept_bytes=sum(one.bytes for one in blobs) - freed,
        young_blobs=unreached - len(gone),
        blobs=[
            Unreached(digest=one.digest, bytes=one.bytes, stored_at=one.at, why=_why(last.get(one.digest)))
            for one in sorted(gone, key=lambda one: (-one.bytes, one.digest))
        ],
        packages=[digest for digest in _unpacked(where) if digest not in ground.came_from],
        bytes=freed,
    )


def swept_steps(ground: Ground, garbage: Garbage) -> list[Stored]:
    """Give the finished steps whose results are not whole once that is deleted."""
    resting = resting_on((one.digest for one in garbage.blobs), ground.mentions)
    return [one for name in sorted(resting) for one in ground.records.get(name, ()) if one.kind == "step"]


def why_kept(where: Installation, retention: Retention, digest: Digest) -> Kept:
    """Say which rule keeps something, and by which path of mentions.

    Raises:
        NotFound: nothing of that name was ever recorded or stored here.
    """
    ground = read_ground(where, retention, where.clock())
    path = path_to(digest, ground.came_from)
    known = digest in ground.records or bool(path) or where.shelf.blobs.has(digest)
    if not known:
        raise NotFound(f"There is no {digest}", expected="the digest of a blob or a record", found=digest)
    said = [_named(ground, name) for name in path]
    return Kept(digest=digest, rule=ground.roots[path[0]] if path else "", path=said)


def _check(retention: Retention) -> None:
    faults = [
        Fault(at=at, expected=expected, found=found)
        for at, expected, found, wrong in (
            ("keep_for", "a day or more", str(retention.keep_for), retention.keep_for < GRACE),
            ("keep_releases", "1 or more", str(retention.keep_releases), retention.keep_releases < 1),
        )
        if wrong
    ]
    if faults:
        raise Invalid("So little can't be kept", faults=tuple(faults))


def _everything(where: Installation) -> Iterator[Stored]:
    records = where.shelf.ledger.records
    for kind in records.kinds():
        after = 0
        while page := records.list(kind, after=after, limit=_PAGE):
            yield from page
            after = page[-1].sequence


def _roots(where: Installation, ground: Ground, retention: Retention, since: datetime) -> Iterator[tuple[str, str]]:
    """Give what each rule begins from; the first rule that names something is the one that is told."""
    shelf = where.shelf
    for endpoint in endpoint_names(where):
        moves = shelf.ledger.pointers.history(f"plan/{endpoint}")
        ended = [*(move.at for move in moves[1:]), None]
        yield from (("plan", move.value) for move, end in zip(moves, ended, strict=True) if end is None or end >= since)
        for stored in shelf.ledger.records.latest("release", subject=endpoint, limit=retention.keep_releases):
            yield "release", stored.id
    everything = [one for same in ground.records.values() for one in same]
    yield from (("reading", one.id) for one in _newest_readings(everything))
    yield from (("pin", one.id) for one in everything if one.kind == "reading" and not parse(one.body, Reading).line)
    ended_walks = {one.id for one in everything if one.kind == "line-end"}
    going = {one.id for one in everything if one.kind == "line"} - ended_walks
    yield from (("walk", one.id) for one in everything if one.id in going or one.subject in going)
    yield from (("recent", one.id) for one in everything if one.at >= since and one.kind not in _ACCOUNTS)


def _newest_readings(everything: list[Stored]) -> list[Stored]:
    """Give the newest reading of every source of every project."""
    readings = sorted((one for one in everything if one.kind == "reading"), key=lambda one: one.sequence)
    return list({one.subject: one for one in readings}.values())


def _count(ground: Ground) -> dict[str, int]:
    found: dict[str, int] = {}
    for rule in ground.roots.values():
        found[rule] = found.get(rule, 0) + 1
    return dict(sorted(found.items()))


def _mentioned_last(ground: Ground, gone: set[str]) -> dict[str, Stored]:
    """Give for each that is given up the newest record that mentions it."""
    last: dict[str, Stored] = {}
    for same in ground.records.values():
        for stored in same:
            for digest in mentioned_in(stored.body) & gone:
                if digest not in last or stored.sequence > last[digest].sequence:
                    last[digest] = stored
    return last


def _why(last: Stored | None) -> str:
    if last is None:
        return "no record mentions it: what stored it did not come to its end"
    return f"mentioned last by a {last.kind} of {last.at:%Y-%m-%d}, which no rule reaches ({last.id})"


def _named(ground: Ground, name: str) -> str:
    kinds = " and ".join(sorted({one.kind for one in ground.records.get(name, ())}))
    return f"{kinds or 'blob'} {name}"


def _unpacked(where: Installation) -> list[Digest]:
    folder = where.state.package("sha256:x").parent
    if not folder.is_dir():
        return []
    return [f"sha256:{path.name}" for path in sorted(folder.iterdir()) if len(path.name) == _DIGITS]
