"""What the processes of one state folder have in common: where their online store is, and their machine's name."""

import os
import secrets
from urllib.parse import quote

from lockgate.kernel.folders import StateFolder

__all__ = ["STORE_VARIABLE", "machine_of", "store_url"]

STORE_VARIABLE = "LOCKGATE_STORE"
"""The environment variable that names the online store; a URL may hold a password, which no command line should."""


def store_url(state: StateFolder) -> str:
    """Give the URL of the online store: what the environment says, else a file in the state folder."""
    return os.environ.get(STORE_VARIABLE) or f"sqlite:///{quote(str(state.store))}"


def machine_of(state: StateFolder) -> str:
    """Give the name under which this state folder's log is known to a store that several share; made once.

    A state folder that was copied and runs twice has one name twice, and must not share a store with its twin.
    """
    state.machine.parent.mkdir(parents=True, exist_ok=True)
    draft = state.machine.with_name(f".machine.{secrets.token_hex(8)}")
    while not state.machine.exists():
        draft.write_text(secrets.token_hex(8))
        try:
            # Of two processes that begin at once, one makes it: a link does not replace.
            os.link(draft, state.machine)
        except FileExistsError:
            continue
        finally:
            draft.unlink()
    return state.machine.read_text()
