"""Follows the ledger: a plan that another installation put in force, on the same ledger, is put in force here too."""

import sys
import threading

from lockgate.engine.delivery import ask_supervisor, endpoint_names, install_current
from lockgate.engine.installation import Installation
from lockgate.kernel.canonical import sha256
from lockgate.kernel.errors import LockgateError

__all__ = ["Follower"]

_LOOK_AGAIN = 2.0


class Follower:
    """Keeps the plans of this state folder those of the ledger.

    Args:
        where: the installation.
    """

    def __init__(self, where: Installation) -> None:
        """Follow nothing yet."""
        self._where = where
        self._stopping = threading.Event()

    def keep_going(self) -> None:
        """Look every two seconds, until `stop`; what can't be reached or installed now is tried again."""
        while not self._stopping.wait(_LOOK_AGAIN):
            try:
                self.catch_up()
            except (LockgateError, OSError) as error:
                sys.stderr.write(f"Plans of other installations are not followed now: {error}\n")

    def stop(self) -> None:
        """Follow no more."""
        self._stopping.set()

    def catch_up(self) -> None:
        """Install every plan that is not the one on disk, and tell the workers."""
        for name in endpoint_names(self._where):
            if not self._has_current(name):
                install_current(self._where, name)
                ask_supervisor(self._where, {"do": "obey", "endpoint": name})

    def _has_current(self, endpoint: str) -> bool:
        pointer = self._where.shelf.ledger.pointers.read(f"plan/{endpoint}")
        if pointer is None:
            return True
        try:
            return sha256(self._where.state.plan(endpoint).read_bytes()) == pointer.value
        except FileNotFoundError:
            return False
