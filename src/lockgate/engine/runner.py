"""Walks what is shipped, in threads of this process: when woken, and whatever an earlier process left behind."""

import sys
import threading
import traceback

from lockgate.engine.installation import Installation
from lockgate.engine.reconcile import advance, has_ended, unfinished
from lockgate.kernel.errors import LockgateError
from lockgate.records.line import Line

__all__ = ["Runner"]

_LOOK_AGAIN = 2.0


class Runner:
    """Walks lines.

    Args:
        where: the installation.
        attended: whether what is shipped here stops with this process.
    """

    def __init__(self, where: Installation, *, attended: bool) -> None:
        """Walk nothing yet."""
        self.attended = attended
        self._where = where
        self._going: dict[str, threading.Thread] = {}
        self._guard = threading.Lock()
        self._stopping = threading.Event()

    def wake(self, line: Line) -> None:
        """Begin to walk, unless this process does already."""
        with self._guard:
            thread = self._going.get(line.id)
            if thread is None or not thread.is_alive():
                thread = threading.Thread(target=self._walk, args=(line,), name=f"line {line.id}", daemon=True)
                self._going[line.id] = thread
                thread.start()

    def keep_going(self) -> None:
        """Take up walks that nobody walks, until `stop`."""
        while not self._stopping.wait(_LOOK_AGAIN):
            try:
                for line in unfinished(self._where):
                    self.wake(line)
            except LockgateError as error:
                sys.stderr.write(f"No walk is taken up now: {error}\n")  # the ledger will be there again

    def stop(self) -> None:
        """Take up nothing more."""
        self._stopping.set()

    def _walk(self, line: Line) -> None:
        while not self._has_ended(line):
            try:
                advance(self._where, line)
            except (LockgateError, OSError):
                traceback.print_exc()  # a lost lease, a full disk: it is taken up again
            if self._stopping.wait(_LOOK_AGAIN / 10):
                return

    def _has_ended(self, line: Line) -> bool:
        try:
            return has_ended(self._where, line)
        except LockgateError:
            return False
