"""Makes a repeated request with the same `Idempotency-Key` one request.

- A repetition is the same caller, key and body within 10 minutes, in the life of this worker; it gets the same answer.
- The same key with another body is refused.
- A request that was refused or failed may be tried again with its key.
- 10,000 keys and 64 MiB of answers are kept; the oldest go first.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from lockgate.kernel.errors import Fault, Invalid, LockgateError

__all__ = ["KEYS", "Retries", "Sink"]

Sink = Callable[[bytes | LockgateError], None]
"""Where the answer to a request goes, or what kept it from one; called once."""

KEYS = 10_000
"""Keys that are remembered."""

_SECONDS = 600.0
_BYTES = 64 << 20


class _Entry(msgspec.Struct):
    """A request that came with a key."""

    body: bytes
    at: float
    answer: bytes | None = None
    waiting: list[Sink] = []


class Retries:
    """Remembers answers.

    Args:
        stopwatch: gives seconds that only grow.
    """

    def __init__(self, stopwatch: Callable[[], float]) -> None:
        self._stopwatch = stopwatch
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._bytes = 0

    def repeats(self, by: str, key: str, body: bytes, sink: Sink) -> bool:
        """Tell whether a request repeats one; the sink then gets that one's answer, now or when it is there.

        Raises:
            Invalid: the key came before with another body.
        """
        self._forget()
        entry = self._entries.get((by, key))
        if entry is None:
            return False
        if entry.body != _digest(body):
            fault = Fault(at="Idempotency-Key", expected="the body it came with before", found="another body")
            raise Invalid("This Idempotency-Key was used already", way_out="Make a new key.", faults=(fault,))
        if entry.answer is None:
            entry.waiting.append(sink)
        else:
            sink(entry.answer)
        return True

    def remember(self, by: str, key: str, body: bytes, sink: Sink) -> Sink:
        """Take in a new request; give the sink that its answer is to go to instead."""
        entry = _Entry(_digest(body), self._stopwatch(), None, [sink])
        self._entries[by, key] = entry

        def settle(answer: bytes | LockgateError) -> None:
            if isinstance(answer, LockgateError):
                self._drop((by, key), entry)
            else:
                entry.answer = answer
                self._bytes += len(answer)
            waiting, entry.waiting = entry.waiting, []
            for each in waiting:
                each(answer)

        return settle

    def _forget(self) -> None:
        """Let go of what is too old or too much; what is still being answered is young."""
        now = self._stopwatch()
        while self._entries:
            key, entry = next(iter(self._entries.items()))
            if len(self._entries) <= KEYS and self._bytes <= _BYTES and now - entry.at <= _SECONDS:
                return
            self._drop(key, entry)

    def _drop(self, key: tuple[str, str], entry: _Entry) -> None:
        if self._entries.get(key) is entry:
            del self._entries[key]
            self._bytes -= len(entry.answer or b"")


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()
