"""`lockgate up`: makes sure the installation is there, then becomes its supervisor."""

import os
import sys
from pathlib import Path

from lockgate.engine.clock import now
from lockgate.engine.installation import installation
from lockgate.engine.stores import Stores
from lockgate.serving.installed import STORE_VARIABLE

__all__ = ["run_everything"]


def run_everything(state: Path, stores: Stores, *, port: int, control_port: int, once: bool, tether: bool) -> None:
    """Replace this process by the supervisor, which is small; what opening needed is gone with it.

    Raises:
        Conflict: it keeps its ledger or blobs in another place.
        Unavailable: the state folder or a store can't be opened.
    """
    with installation(state, now, stores) as where:
        root = where.state.root
        # Not an argument: everybody on this machine can read those, and it may hold a password.
        os.environ[STORE_VARIABLE] = where.stores.store
    command = [sys.executable, "-m", "lockgate.serving.supervisor", "--state", str(root)]
    command += ["--predict-port", str(port), "--control-port", str(control_port)]
    command += ["--once"] if once else []
    command += ["--tether"] if tether else []
    os.execv(sys.executable, command)  # noqa: S606 - our own module, in our own place
