"""Where an installation keeps what it keeps: ledger, blobs and online store, each by URL.

- What is not said lies in the state folder: embedded.
- What is said, by an option or else by the environment, is remembered in `stores.json`, and later commands use it.
- Said again, it has to be the same place. Another ledger or other blobs are not taken up by naming them, since what was
  kept so far would be gone from sight: `lockgate move` takes it along. The online store is rebuilt, so it may change.
- What came from the environment is remembered without its password; who has it there goes on having it there.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

import msgspec

from lockgate.kernel.canonical import canonical
from lockgate.kernel.errors import Conflict, Corrupt, Invalid
from lockgate.kernel.folders import StateFolder, replace_file

__all__ = [
    "EMBEDDED",
    "Settled",
    "Stores",
    "place",
    "remember",
    "remembered",
    "settle",
    "settle_move",
    "without_password",
]

EMBEDDED = "embedded"
"""The word for a place in the state folder, where a URL is asked for."""

_VARIABLES = {"ledger": "LOCKGATE_LEDGER", "blobs": "LOCKGATE_BLOBS", "store": "LOCKGATE_STORE"}
_PORTS = {"postgresql": 5432, "valkey": 6379}
_SECRETS = ("password=", "sslpassword=")


class Stores(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Three places. An empty text is one in the state folder."""

    # The URL of the ledger.
    ledger: str = ""
    # The URL of the blobs.
    blobs: str = ""
    # The URL of the online store.
    store: str = ""

    def urls(self, state: StateFolder) -> "Stores":
        """Give all three as URLs, also those in the state folder."""
        return Stores(
            ledger=self.ledger or f"sqlite:///{state.ledger}",
            blobs=self.blobs or state.blobs.as_uri(),
            store=self.store or f"sqlite:///{quote(str(state.store))}",
        )


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """Which places to use."""

    # Where everything was until now.
    before: Stores
    # What to open.
    opened: Stores
    # What to remember: the same, but for passwords.
    kept: Stores


def remembered(state: StateFolder) -> Stores:
    """Give what was said the last time.

    Raises:
        Corrupt: the file can't be read as what it is.
    """
    try:
        return msgspec.json.decode(state.stores.read_bytes(), type=Stores)
    except FileNotFoundError:
        return Stores()
    except msgspec.DecodeError as error:
        way_out = "Mend it by hand: it holds the URLs of `ledger`, `blobs` and `store`."
        raise Corrupt(f"{state.stores} can't be read", found=str(error), way_out=way_out) from error


def remember(state: StateFolder, stores: Stores) -> None:
    """Remember for all later commands; only this user can read it, as it may hold passwords."""
    if stores != remembered(state):
        replace_file(state.stores, canonical(stores), mode=0o600)


def settle(state: StateFolder, asked: Stores, environment: Mapping[str, str] = os.environ) -> Settled:
    """Decide which places to use.

    Args:
        state: the folder.
        asked: what was said now; empty texts where nothing was.
        environment: what the environment says.

    Raises:
        Conflict: this installation keeps its ledger or blobs in another place.
        Invalid: a place that would not last.
    """
    settled = _settled(state, asked, environment)
    if state.stores.exists() or state.ledger.exists():
        for kind in ("ledger", "blobs"):
            known, said = getattr(settled.before, kind), getattr(settled.opened, kind)
            if place(known) != place(said):
                raise _elsewhere(kind, said, getattr(settled.before.urls(state), kind))
    return settled


def settle_move(state: StateFolder, asked: Stores, environment: Mapping[str, str] = os.environ) -> Settled:
    """Decide where to move: other places are what is wanted here.

    The environment only adds passwords to places that are known: it says where an installation is, not where it goes.

    Raises:
        Invalid: a place that would not last.
    """
    known = remembered(state)
    before = _settled(state, Stores(), _of_same_places(state, known, environment)).opened
    after = _settled(state, asked, {})
    opened = {kind: getattr(after.opened if getattr(asked, kind) else before, kind) for kind in _VARIABLES}
    return Settled(before=before, opened=Stores(**opened), kept=after.kept)


def _of_same_places(state: StateFolder, known: Stores, environment: Mapping[str, str]) -> dict[str, str]:
    said = {variable: _whole(kind, environment.get(variable, ""), state) for kind, variable in _VARIABLES.items()}
    return {
        variable: url
        for (kind, variable) in _VARIABLES.items()
        if (url := said[variable]) and place(url) == place(getattr(known, kind))
    }


def _settled(state: StateFolder, asked: Stores, environment: Mapping[str, str]) -> Settled:
    there = remembered(state)
    opened, kept = {}, {}
    for kind, variable in _VARIABLES.items():
        option, known = getattr(asked, kind), getattr(there, kind)
        said = _whole(kind, option or environment.get(variable, ""), state)
        if said is None:
            opened[kind] = kept[kind] = known
            continue
        is_new = place(said) != place(known)
        opened[kind] = said
        kept[kind] = said if option else without_password(said) if is_new else known
    return Settled(before=there, opened=Stores(**opened), kept=Stores(**kept))


def place(url: str) -> tuple[str, str, int | None, str]:
    """Give what makes two URLs the same place: not who asks, nor how."""
    parts = urlsplit(url)
    scheme = parts.scheme.partition("+")[0]
    scheme = "postgresql" if scheme == "postgres" else scheme
    return scheme, parts.hostname or "", _port(parts) or _PORTS.get(scheme), parts.path.rstrip("/")


def without_password(url: str) -> str:
    """Give a URL as it may be shown."""
    parts = urlsplit(url)
    query = "&".join(one for one in parts.query.split("&") if not one.startswith(_SECRETS))
    account, _, host = parts.netloc.rpartition("@")
    name = account.partition(":")[0]
    shown = parts._replace(netloc=f"{name}@{host}" if name else host, query=query)
    # `sqlite:////path` has an empty host, which is not written back.
    return shown.geturl() if parts.netloc else url


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        return None


def _whole(kind: str, url: str, state: StateFolder) -> str | None:
    """Give a URL that means the same from any folder; empty for the state folder, None where nothing is said."""
    if not url:
        return None
    if url == EMBEDDED:
        return ""
    if url.startswith("memory:"):
        raise Invalid(f"An installation can't keep its {kind} in memory", expected="a place that lasts", found=url)
    if url.startswith("sqlite:///") and "?" not in url:
        path = Path(url.removeprefix("sqlite:///")).absolute()
        url = f"sqlite:///{path}"
    return "" if place(url) == place(getattr(Stores().urls(state), kind)) else url


def _elsewhere(kind: str, said: str, known: str) -> Conflict:
    return Conflict(
        f"This installation keeps its {kind} in another place",
        expected=without_password(known),
        found=without_password(said) or EMBEDDED,
        way_out=f"To take everything along: lockgate move --{kind} URL. Or name another state folder.",
    )
