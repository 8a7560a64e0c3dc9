"""Prediction ids: UUID version 7 (RFC 9562) that say when and by which worker they were made.

    48 bits   milliseconds since 1970, control clock
     4 bits   version, 7
    12 bits   sequence within the millisecond
     2 bits   variant, 10
    14 bits   worker, unique among the workers that write to one log
    48 bits   random

So ids of one worker ascend in the order in which they were made, and an id alone finds the log segment it stands in.
The sequence carries into the milliseconds when it is full, and the milliseconds never go back when the clock does.
"""

import os
import re

import msgspec

__all__ = ["WORKERS", "IdMaker", "IdParts", "id_parts"]

WORKERS = 1 << 14
"""How many workers one log can tell apart."""

_SEQUENCES = 1 << 12
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class IdParts(msgspec.Struct, frozen=True):
    """What a prediction id says of itself."""

    milliseconds: int
    sequence: int
    worker: int


def id_parts(text: str) -> IdParts | None:
    """Read a prediction id; None where the text is not one."""
    if _UUID7.fullmatch(text) is None:
        return None
    digits = text.replace("-", "")
    return IdParts(int(digits[:12], 16), int(digits[13:16], 16), int(digits[16:20], 16) & (WORKERS - 1))


class IdMaker:
    """Makes the prediction ids of one worker, in ascending order.

    Args:
        worker: 0 to 16,383, unique among the workers of one log.
        after: the worker's last id, where it made ids before: the next ones ascend from there, even if the clock was
            set back meanwhile.
    """

    def __init__(self, worker: int, after: str | None = None) -> None:
        """Go on after the last id."""
        if not 0 <= worker < WORKERS:
            msg = f"a worker is numbered 0 to {WORKERS - 1}, not {worker}"
            raise ValueError(msg)
        self._variant_and_worker = f"{0x8000 | worker:04x}"
        last = id_parts(after) if after else None
        self._milliseconds = last.milliseconds if last else 0
        self._sequence = last.sequence if last else 0

    def make(self, count: int, milliseconds: int) -> list[str]:
        """Make `count` ids at a moment given in milliseconds since 1970."""
        noise = os.urandom(6 * count).hex()
        return [
            f"{self._step(milliseconds)}-{self._variant_and_worker}-{noise[12 * i : 12 * i + 12]}" for i in range(count)
        ]

    def _step(self, milliseconds: int) -> str:
        if milliseconds > self._milliseconds:
            self._milliseconds, self._sequence = milliseconds, 0
        elif self._sequence + 1 < _SEQUENCES:
            self._sequence += 1
        else:
            self._milliseconds, self._sequence = self._milliseconds + 1, 0
        time = f"{self._milliseconds:012x}"
        return f"{time[:8]}-{time[8:]}-7{self._sequence:03x}"
