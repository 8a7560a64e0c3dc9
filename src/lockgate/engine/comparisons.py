"""Comparisons under way, each in a thread of this process; the last few are remembered."""

import threading
import uuid
from datetime import timedelta

import msgspec

from lockgate.engine.delivery import find_endpoint
from lockgate.engine.installation import Installation
from lockgate.engine.parity import compare_endpoint
from lockgate.kernel.errors import LockgateError, NotFound
from lockgate.records.monitoring import ParityClass, ParityReport

__all__ = ["Comparisons", "Going", "Question"]

_REMEMBERED = 20


class Question(msgspec.Struct, frozen=True):
    """What is to be compared."""

    endpoint: str
    # How far back from the watermark; None for everything.
    last: timedelta | None
    classes: frozenset[ParityClass]


class Going(msgspec.Struct, kw_only=True):
    """How a comparison stands."""

    id: str
    # `going`, `done` or `failed`.
    state: str
    # How far it is, 0 to 1.
    share: float = 0.0
    text: str = ""
    report: ParityReport | None = None
    # Why it failed: a problem document.
    problem: dict[str, object] | None = None


class Comparisons:
    """Compares when asked.

    Args:
        where: the installation.
    """

    def __init__(self, where: Installation) -> None:
        """Compare nothing yet."""
        self._where = where
        self._runs: dict[str, tuple[Question, Going]] = {}
        self._guard = threading.Lock()

    def begin(self, asked: Question, by: str) -> Going:
        """Begin a comparison, or give the one that is under way with the same question.

        Raises:
            NotFound: there is no such endpoint.
        """
        find_endpoint(self._where, asked.endpoint)
        with self._guard:
            for before, going in self._runs.values():
                if before == asked and going.state == "going":
                    return going
            going = Going(id=uuid.uuid4().hex[:12], state="going")
            self._runs[going.id] = (asked, going)
            for old in list(self._runs)[:-_REMEMBERED]:
                del self._runs[old]
        threading.Thread(target=self._run, args=(asked, going, by), name=f"parity {going.id}", daemon=True).start()
        return going

    def find(self, endpoint: str, run: str) -> Going:
        """Give how a comparison stands.

        Raises:
            NotFound: this process knows none of that id.
        """
        asked, going = self._runs.get(run, (None, None))
        if asked is None or going is None or asked.endpoint != endpoint:
            msg = f"There is no comparison {run} of {endpoint}"
            raise NotFound(msg, expected="the id that came when it began", found=run, way_out="Begin another one.")
        return going

    def _run(self, asked: Question, going: Going, by: str) -> None:
        def progress(share: float, text: str) -> None:
            going.share, going.text = share, text

        try:
            going.report = compare_endpoint(
                self._where, asked.endpoint, last=asked.last, classes=asked.classes, by=by, progress=progress
            )
            going.state = "done"
        except LockgateError as error:
            going.problem, going.state = error.problem(), "failed"
        except OSError as error:
            going.problem, going.state = {"title": "The comparison failed", "found": str(error)}, "failed"
