"""Opens walks and goes on with them: whoever gets a walk's lease walks it; everybody else watches.

- The same thing shipped twice is one walk: a pointer from what is shipped to the walk that ships it.
- A walk that ended is not resumed; shipping again opens a new one, which finds all that has not changed already done.
  Where it goes on with one that was stopped, it uses the readings of that one, and so makes the same package.
- A walk whose walker died is free once its lease expires, or at once where the walker was a process of this host.
- A walk that a person attended stops with them; the same command goes on with it. Any other goes on by itself.
- A walk is the installation's that opened it: only there are its folder and its scratch. Others on the same ledger see
  how it ends.
"""

import secrets
import traceback
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from lockgate.engine.bringing.asked import ImportAsked, look_at
from lockgate.engine.holding import is_swept, take
from lockgate.engine.importing import IMPORT, walk_the_import
from lockgate.engine.installation import Installation
from lockgate.engine.line import walk_the_line
from lockgate.engine.machine import environment
from lockgate.engine.openlineage.observer import Observer, Silence
from lockgate.engine.openlineage.sending import open_sink
from lockgate.engine.openlineage.telling import observer_of
from lockgate.engine.rebuilding import REBUILD, RebuildAsked, check_rebuildable, walk_the_rebuild
from lockgate.engine.repository import look
from lockgate.engine.walk import Told, Walk, read_told
from lockgate.kernel.canonical import Digest, canonical, digest_of, parse, short, utc
from lockgate.kernel.errors import Conflict, Invalid, LockgateError, NotFound, Refused
from lockgate.ledger.protocols import Entry, Lease
from lockgate.records.line import Line, LineEnd, Tree
from lockgate.records.package import Package

__all__ = [
    "Asked",
    "Watched",
    "advance",
    "has_ended",
    "open_again",
    "open_import",
    "open_line",
    "open_rebuild",
    "unfinished",
    "watch",
]


class Watched(msgspec.Struct, kw_only=True):
    """What there is to see of a walk."""

    # The walk.
    line: Line
    # What it said, from the place asked for on.
    told: list[Told]
    # How it ended; None while it goes.
    end: LineEnd | None


class Asked(msgspec.Struct, kw_only=True):
    """What a walk is asked for."""

    # What is known later is not used; None for all that is known when it is opened.
    as_of: datetime | None = None
    # Whether the release goes live.
    rollout: bool = True
    # Where it ends: `release` or `snapshots`.
    until: str = "release"
    # Sources whose history begins anew.
    anew: tuple[str, ...] = ()
    # Where OpenLineage events go; empty for nowhere.
    lineage: str = ""
    # The walk whose readings of its sources are used; empty for readings of its own.
    again: str = ""

    def parameters(self) -> dict[str, Any]:
        """Give it as a walk keeps it."""
        cut = utc(self.as_of).isoformat() if self.as_of else None
        told: dict[str, Any] = {"as_of": cut, "rollout": self.rollout, "until": self.until}
        if self.anew:
            told["anew"] = sorted(self.anew)
        if self.again:
            told["again"] = self.again
        return told | ({"lineage": self.lineage} if self.lineage else {})


def open_line(where: Installation, folder: Path, asked: Asked, *, dirty: bool, attended: bool, by: str) -> Line:
    """Open a walk for a project folder as it stands, or give the one that is already under way.

    Raises:
        Invalid: lineage can't be sent where it should be.
        Refused: the folder differs from its commit and `dirty` was not said, or is in no checkout.
    """
    if asked.lineage:
        open_sink(asked.lineage)
    checkout = look(folder)
    if checkout.changed and not dirty:
        names = ", ".join(checkout.changed[:5]) + (" …" if len(checkout.changed) > 5 else "")  # noqa: PLR2004
        msg = f"{folder} differs from commit {checkout.commit[:12]}"
        hint = "Commit it, or say --dirty: the release is then marked for ever."
        raise Refused(msg, expected="a clean checkout", found=names, way_out=hint)
    line = Line(
        id=secrets.token_hex(8),
        project="",
        folder=str(folder.resolve()),
        commit=checkout.commit,
        dirty=bool(checkout.changed),
        code=checkout.code,
        environment=digest_of(environment()),
        parameters=asked.parameters(),
        attended=attended,
        installation=where.name,
        by=by,
        at=where.clock(),
    )
    return _open_or_attach(where, line, checkout.tree)


def open_import(where: Installation, asked: ImportAsked, *, rollout: bool, attended: bool, by: str) -> Line:
    """Open a walk for a model that was fitted elsewhere, or give the one that is under way for the same thing.

    Raises:
        NotFound, Invalid, TooLarge: as `look_at`.
    """
    bringing = look_at(asked)
    line = Line(
        id=secrets.token_hex(8),
        project=asked.name,
        folder=asked.path,
        commit="",
        dirty=False,
        code=digest_of(bringing.tree),
        environment=digest_of(environment()),
        parameters={"as_of": None, "rollout": rollout, "until": "release", IMPORT: asked.plain()},
        attended=attended,
        installation=where.name,
        by=by,
        at=where.clock(),
    )
    return _open_or_attach(where, line, bringing.tree)


def open_again(where: Installation, walk: str, *, rollout: bool, attended: bool, by: str) -> Line:
    """Go on with a walk that was stopped, after what stopped it was waived: opens one with the readings that it made.

    A walk that has not ended is given as it is.

    Raises:
        NotFound: there is none.
        Refused: it makes no release, is another installation's, or the project was changed since.
    """
    before = find_line(where, walk)
    asked = before.parameters
    if asked["until"] != "release":
        raise Refused(f"Walk {walk} makes no release", expected="a walk of lockgate ship", found=asked["until"])
    if before.installation != where.name:
        msg = f"Walk {walk} is another installation's, which has its folder"
        raise Refused(msg, expected=where.name, found=before.installation or "no name")
    if not has_ended(where, before):
        return before
    rollout = rollout and asked["rollout"]
    if IMPORT in asked:
        brought = msgspec.convert(asked[IMPORT], ImportAsked)
        _refuse_another(before, digest_of(look_at(brought).tree))
        return open_import(where, brought, rollout=rollout, attended=attended, by=by)
    _refuse_another(before, look(Path(before.folder)).code)
    more = {name: asked[name] for name in ("anew", "lineage") if name in asked}
    as_of = datetime.fromisoformat(asked["as_of"]) if asked["as_of"] else before.at
    wanted = Asked(as_of=as_of, rollout=rollout, again=asked.get("again", walk), **more)
    return open_line(where, Path(before.folder), wanted, dirty=before.dirty, attended=attended, by=by)


def _refuse_another(before: Line, code: Digest) -> None:
    """Refuse to go on with a walk in another environment or with other files: another package would come of it."""
    here = {before.folder: (before.code, code), "The environment": (before.environment, digest_of(environment()))}
    for what, (then, now) in here.items():
        if now != then:
            msg = f"{what} was changed since walk {before.id}, so another package would come of it"
            hint = "Ship it as it is now; what was waived about the other package does not count for this one."
            raise Refused(msg, expected=short(then), found=short(now), way_out=hint)


def open_rebuild(where: Installation, asked: RebuildAsked, *, attended: bool, by: str) -> Line:
    """Open a walk that makes a released package again, or give the one that is under way.

    Raises:
        NotFound: there is no such release, or the repository does not have its commit.
        Refused: it can't be made again.
    """
    release = check_rebuildable(where, asked)
    package = where.shelf.get(Package, release.package)
    line = Line(
        id=secrets.token_hex(8),
        project=release.endpoint,
        folder=asked.repository,
        commit=release.commit,
        dirty=False,
        code=package.code,
        environment=package.environment,
        parameters={"as_of": None, "rollout": False, "until": REBUILD, REBUILD: msgspec.to_builtins(asked)},
        attended=attended,
        installation=where.name,
        by=by,
        at=where.clock(),
    )
    return _open_or_attach(where, line, where.shelf.get(Tree, package.code))


def _open_or_attach(where: Installation, line: Line, tree: Tree) -> Line:
    """Open a walk, or give the one that is under way for the same thing; its files are kept by their digests."""
    place = [line.installation, line.folder, line.commit]
    shipped = digest_of([*place, line.code, line.environment, canonical(line.parameters).decode()])
    name = f"shipping/{shipped}"
    records, pointers = where.shelf.ledger.records, where.shelf.ledger.pointers
    under_way = pointers.read(name)
    if under_way is not None and records.get("line-end", under_way.value) is None:
        return find_line(where, under_way.value)
    where.shelf.keep(tree, subject=line.id, by=line.by, at=line.at)
    entry = Entry(kind="line", id=line.id, subject=line.id, body=canonical(line), by=line.by, at=line.at)
    records.append(entry)
    try:
        expected = under_way.value if under_way else None
        pointers.move(name, expected=expected, value=line.id, reason="ship", by=line.by, at=line.at)
    except Conflict:
        now_there = pointers.read(name)
        end = LineEnd(line=line.id, result="stopped", reason="another ship of the same thing came first", at=line.at)
        _end(where, line, end, None)
        return find_line(where, now_there.value) if now_there else line
    return line


def find_line(where: Installation, line_id: str) -> Line:
    """Give a walk.

    Raises:
        NotFound: there is none.
    """
    stored = where.shelf.ledger.records.get("line", line_id)
    if stored is None:
        msg = f"There is no walk {line_id}"
        raise NotFound(msg, way_out="lockgate status lists them.")
    return parse(stored.body, Line)


def watch(where: Installation, line_id: str, after: int) -> Watched:
    """Give what there is to see of a walk."""
    line = find_line(where, line_id)
    ended = where.shelf.ledger.records.get("line-end", line_id)
    return Watched(
        line=line,
        told=read_told(where.state.work(line_id), after),
        end=parse(ended.body, LineEnd) if ended else None,
    )


def has_ended(where: Installation, line: Line) -> bool:
    """Tell whether a walk has ended."""
    return where.shelf.ledger.records.get("line-end", line.id) is not None


def unfinished(where: Installation) -> list[Line]:
    """Give this installation's walks that have not ended and are not attended, oldest first."""
    records = where.shelf.ledger.records
    recent = reversed(records.latest("line", limit=200))
    lines = [parse(one.body, Line) for one in recent if records.get("line-end", one.id) is None]
    return [line for line in lines if not line.attended and line.installation == where.name]


def advance(where: Installation, line: Line) -> bool:
    """Walk a walk to its end, if nobody else does and it has not ended; tell whether this call walked."""
    lease = take(where, f"line/{line.id}")
    if lease is None:
        return False
    # Looked for only with the walk's lease in hand, as who sweeps looks for walks with the sweep's: one sees the other.
    if is_swept(where):
        where.shelf.ledger.leases.release(lease)
        return False
    walk = Walk(where, line, lease, _observer(where, line))
    try:
        if where.shelf.ledger.records.get("line-end", line.id) is None:
            end = _go(walk)
            _tell_end(walk, end)
            _end(where, line, end, walk.fence)
            if end.result in {"released", "taken", "rebuilt"}:
                walk.sweep()
    finally:
        walk.close()
    return True


def _go(walk: Walk) -> LineEnd:
    now = walk.where.clock
    try:
        return _walked(walk)
    except Refused as error:
        walk.tell(Told(station="line", state="stopped", text=str(error)))
        return LineEnd(line=walk.line.id, result="stopped", reason=str(error), at=now())
    except LockgateError as error:
        walk.tell(Told(station="line", state="failed", text=str(error)))
        return LineEnd(line=walk.line.id, result="failed", reason=str(error), at=now())
    except Exception as error:  # noqa: BLE001 - the root of a walk: whoever watches must be told, or would wait for ever
        traceback.print_exc()
        reason = f"Lockgate itself failed: {type(error).__name__}: {error}. This is a fault of ours; please report it."
        walk.tell(Told(station="line", state="failed", text=reason))
        return LineEnd(line=walk.line.id, result="failed", reason=reason, at=now())


def _walked(walk: Walk) -> LineEnd:
    """Walk to what was asked for."""
    now, asked = walk.where.clock, walk.line.parameters
    if REBUILD in asked:
        reason = walk_the_rebuild(walk)
        return LineEnd(line=walk.line.id, result="rebuilt", reason=reason, at=now())
    release = walk_the_import(walk) if IMPORT in asked else walk_the_line(walk)
    if release is None:
        return LineEnd(line=walk.line.id, result="taken", reason="", at=now())
    return LineEnd(line=walk.line.id, result="released", reason="", release=release, at=now())


def _observer(where: Installation, line: Line) -> Observer:
    if line.parameters.keys() & {IMPORT, REBUILD}:
        return Silence()  # no source is read, so there is no lineage to tell
    try:
        return observer_of(where, line)
    except Invalid as error:
        return Silence(str(error))


def _tell_end(walk: Walk, end: LineEnd) -> None:
    """Tell whoever is told of walks that this one has ended; and this walk, what they were not told."""
    missed = walk.observer.finished(end.reason)
    if missed:
        walk.tell(Told(station="lineage", state="failed", text=missed))


def _end(where: Installation, line: Line, end: LineEnd, fence: Lease | None) -> None:
    entry = Entry(kind="line-end", id=line.id, subject=line.id, body=canonical(end), by=line.by, at=end.at)
    where.shelf.ledger.records.append(entry, fence=fence, now=end.at if fence else None)
