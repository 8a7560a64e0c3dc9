"""The ingest process as workers ask it: over its admin socket, never longer than they can wait."""

import asyncio
from pathlib import Path
from typing import Any

from lockgate.kernel.canonical import Digest, short
from lockgate.kernel.errors import LockgateError, Unavailable
from lockgate.serving.admin import Question, ask

__all__ = ["Ingest"]


class Ingest:
    """Asks ingest.

    Args:
        socket: where it answers.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def caught_up(self, endpoint: str, segment: str, offset: int, patience: float) -> bool:
        """Wait until the store has all events up to a place in the log; tell whether it came to that in time."""
        question = Question("caught_up", endpoint=endpoint, segment=segment, offset=offset)
        try:
            answer = await self._ask(question, patience)
        except (OSError, TimeoutError, LockgateError):
            # Nothing is lost: ingest takes them from the log when it can.
            return False
        return answer.get("applied") is True

    async def prepare(self, endpoint: str, release: Digest, patience: float) -> None:
        """Wait until the series of a release are ready.

        Raises:
            Unavailable: it did not come to that; with the reason.
        """
        try:
            answer = await self._ask(Question("prepare", endpoint=endpoint, release=release), patience)
            why = answer["error"]["detail"] if "error" in answer else ""
        except TimeoutError:
            why = f"not done after {patience:g} s; it goes on"
        except (OSError, LockgateError) as error:
            why = f"ingest does not answer: {error}"
        if why:
            raise Unavailable(
                f"What release {short(release)} of {endpoint} looks up is not in the online store yet",
                expected="ingest to have prepared it",
                found=why,
                way_out="It is looked at again every second.",
            )

    async def status(self, patience: float) -> dict[str, Any] | None:
        """Give what it says of itself; None where it does not answer in time."""
        try:
            return await self._ask(Question("status"), patience)
        except (OSError, TimeoutError, LockgateError):
            return None

    async def _ask(self, question: Question, patience: float) -> dict[str, Any]:
        async with asyncio.timeout(patience):
            return await ask(self._socket, question)
