"""An installation: a state folder with its keys and tokens, its ledger and blobs, opened for the control plane."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from lockgate.engine.occupied import in_use
from lockgate.engine.stores import Stores, remember, settle
from lockgate.kernel.access import Access, Grant, Scope, mint
from lockgate.kernel.canonical import canonical
from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import Conflict, Unavailable
from lockgate.kernel.folders import StateFolder, replace_file
from lockgate.ledger.opening import open_blobs, open_ledger
from lockgate.packages.signing import make_key
from lockgate.registry.shelf import Shelf
from lockgate.serving.installed import machine_of

__all__ = ["LOCAL", "Installation", "add_token", "installation", "read_access"]

LOCAL = "local"
"""The name of the local user's token."""

_AS_BEFORE = Stores()


class Installation(msgspec.Struct, frozen=True):
    """What the engine works on."""

    # Its folder.
    state: StateFolder
    # What it keeps.
    shelf: Shelf
    # Its control clock.
    clock: Clock
    # Where everything is kept, as URLs.
    stores: Stores
    # What tells it from others that share its ledger.
    name: str


@contextmanager
def installation(root: Path, clock: Clock, asked: Stores = _AS_BEFORE) -> Iterator[Installation]:
    """Open an installation; made if it does not exist: ledger, signing key, the local user's token.

    Args:
        root: the state folder.
        clock: the control clock.
        asked: where to keep everything; what is not said is where it was, or in the folder.

    Raises:
        Conflict: it keeps its ledger or blobs in another place.
        Unavailable: the folder can't be written, or a store can't be reached.
    """
    state = StateFolder(root.resolve())
    try:
        state.root.mkdir(parents=True, exist_ok=True)
        make_key(state.signing_key, state.trust)
        _ensure_local_token(state)
        name = machine_of(state)
    except OSError as error:
        msg = f"The state folder {state.root} can't be written"
        hint = "Name another one: --state DIR, or LOCKGATE_STATE."
        raise Unavailable(msg, expected="a folder that this user can write", found=str(error), way_out=hint) from error
    with in_use(state):
        settled = settle(state, asked)
        opened = settled.opened.urls(state)
        blobs = open_blobs(opened.blobs)
        with open_ledger(opened.ledger) as ledger:
            # Only now: what can't be opened is not remembered.
            remember(state, settled.kept)
            yield Installation(state, Shelf(ledger, blobs, state), clock, opened, name)


def _ensure_local_token(state: StateFolder) -> None:
    if state.token.is_file() and state.grants.is_file():
        return
    token, grant = mint(LOCAL, frozenset({Scope.ADMIN}))
    others = tuple(one for one in _read_grants(state) if one.name != LOCAL)
    replace_file(state.grants, canonical((*others, grant)), mode=0o600)
    replace_file(state.token, token.encode(), mode=0o600)


def _read_grants(state: StateFolder) -> tuple[Grant, ...]:
    if not state.grants.is_file():
        return ()
    return msgspec.json.decode(state.grants.read_bytes(), type=tuple[Grant, ...])


def read_access(state: StateFolder) -> Access:
    """Give the table that callers are checked against."""
    return Access(_read_grants(state))


def add_token(state: StateFolder, name: str, scopes: frozenset[Scope], expires_at: datetime | None) -> str:
    """Make a token for a caller and give its secret, once.

    Raises:
        Conflict: the name is taken.
    """
    grants = _read_grants(state)
    if any(grant.name == name for grant in grants):
        msg = f"There is a token named {name} already"
        raise Conflict(msg, expected="a name of its own", found=name, way_out="Choose another name.")
    token, grant = mint(name, scopes, expires_at)
    replace_file(state.grants, canonical((*grants, grant)), mode=0o600)
    return token
