"""Moves an installation: copies its ledger and its blobs to other places, verifies, and only then works there.

- Nobody works with the installation meanwhile: it holds the locks that `lockgate up` and every command hold.
- Blobs go first, so that no ledger names what is not there. Each is read back from where it was copied to and compared
  with its digest; the ledger is compared row for row, while nobody can write to the one it was copied from.
- `stores.json` is replaced last. Killed before that, the installation is where it was, and the same command goes on;
  killed after, it is where it was to go.
- What was copied stays where it was, untouched.
- The online store is not copied: it is rebuilt from snapshots and from the events in the log.
"""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import msgspec

from lockgate.engine.occupied import alone
from lockgate.engine.stores import Stores, place, remember, settle_move, without_password
from lockgate.kernel.canonical import Digest
from lockgate.kernel.errors import Corrupt, NotFound
from lockgate.kernel.folders import StateFolder
from lockgate.ledger.copying import Fingerprint, copy_ledger, count_rows, refuse_unless_beginning, refuse_unless_same
from lockgate.ledger.database import Database
from lockgate.ledger.opening import open_blobs
from lockgate.ledger.protocols import Blobs

__all__ = ["Moved", "Told", "move"]

_PATIENCE = timedelta(seconds=10)
_AT_ONCE = 4  # blobs on their way at the same time

Told = Callable[[str, int, int], None]
"""Told what is being copied, how many are done, and how many there are."""


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What was moved; None where it stayed where it was."""

    # Where everything is now, without passwords.
    stores: Stores
    # What each table of the ledger holds, there as here.
    ledger: dict[str, Fingerprint] | None
    # How many blobs there are, each verified.
    blobs: int | None
    # Whether there is another online store, which is empty until it is rebuilt.
    store: bool


def move(root: Path, asked: Stores, told: Told = lambda _what, _done, _all: None) -> Moved:
    """Move an installation.

    Args:
        root: the state folder.
        asked: where to; what is not said stays where it is.
        told: told of progress.

    Raises:
        NotFound: there is no installation.
        Conflict: somebody works with it, or a target holds something else.
        Unavailable: a place can't be reached.
        Corrupt: a blob is damaged, or the copy is not the original.
    """
    state = StateFolder(root.resolve())
    if not state.signing_key.exists():
        raise NotFound(f"There is no installation in {state.root}", way_out="Name its state folder: --state DIR.")
    with alone(state):
        settled = settle_move(state, asked)
        here, there = settled.before.urls(state), settled.opened.urls(state)
        blobs = ledger = None
        if place(here.blobs) != place(there.blobs):
            blobs = _copy_blobs(open_blobs(here.blobs), open_blobs(there.blobs), state.work("move"), told)
        if place(here.ledger) != place(there.ledger):
            ledger = _copy_ledger(here.ledger, there.ledger, told, lambda: remember(state, settled.kept))
        else:
            remember(state, settled.kept)
    shown = Stores(**{name: without_password(url) for name, url in msgspec.structs.asdict(there).items()})
    return Moved(stores=shown, ledger=ledger, blobs=blobs, store=place(here.store) != place(there.store))


def _copy_ledger(here: str, there: str, told: Told, switch: Callable[[], None]) -> dict[str, Fingerprint]:
    source, target = Database(here, _PATIENCE), Database(there, _PATIENCE)
    try:
        refuse_unless_beginning(source, target)
        # Nobody else writes to it until it is left.
        with source.writing() as connection:
            done, rows = 0, count_rows(connection)

            def more(count: int) -> None:
                nonlocal done
                done += count
                told("ledger", done, rows)

            copy_ledger(connection, target, more)
            found = refuse_unless_same(connection, target)
            switch()
            return found
    finally:
        source.close()
        target.close()


def _copy_blobs(source: Blobs, target: Blobs, scratch: Path, told: Told) -> int:
    digests = sorted(source.digests())
    shutil.rmtree(scratch, ignore_errors=True)  # what one that was killed left
    try:
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            copies = threads.map(lambda digest: _copy_blob(source, target, digest, scratch), digests)
            for done, _ in enumerate(copies, start=1):
                told("blobs", done, len(digests))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return len(digests)


def _copy_blob(source: Blobs, target: Blobs, digest: Digest, folder: Path) -> None:
    path = folder / digest.removeprefix("sha256:")
    try:
        if not target.has(digest):
            source.fetch(digest, path)
            target.put_file(path)
        # Read back, whether it was copied now or before.
        target.fetch(digest, path)
    except Corrupt as error:
        raise Corrupt(
            f"{error.what}, and nothing was moved", expected=error.expected, found=error.found, way_out=error.way_out
        ) from error
    finally:
        path.unlink(missing_ok=True)
