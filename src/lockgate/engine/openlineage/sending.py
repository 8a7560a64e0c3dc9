"""Sends events on, to a file or over HTTP, from a thread of its own: whoever tells never waits.

- An event is tried a few times, each time for a few seconds; once an endpoint takes none, later events are tried once.
- At the end what is still under way gets a moment; what was not taken is counted, and told.
"""

import json
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from lockgate.kernel.errors import Invalid

__all__ = ["KEY", "LINEAGE", "Sending", "open_sink"]

LINEAGE = "LOCKGATE_LINEAGE"
"""The variable that says where events go."""

KEY = "LOCKGATE_LINEAGE_KEY"
"""The variable that holds a key for the endpoint; sent as a bearer token."""

_TRIES = 3
_PATIENCE = 3.0
_PAUSE = 0.2
_LAST_WAIT = 2.0
_WAITING = 1_000

Sink = Callable[[dict[str, Any]], None]
"""Takes one event, or raises."""


def open_sink(url: str, environment: Mapping[str, str] = os.environ) -> Sink:
    """Give what takes events at a URL: `file:PATH`, `http://…` or `https://…`.

    Raises:
        Invalid: it is none of these.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path:
        return _to_file(Path(parts.path))
    if parts.scheme in {"http", "https"} and parts.hostname:
        return _to_endpoint(url, environment.get(KEY, ""))
    msg = "Lineage can't be sent there"
    raise Invalid(msg, expected="file:PATH, or the URL of an OpenLineage endpoint", found=url)


def _to_file(path: Path) -> Sink:
    def take(event: dict[str, Any]) -> None:
        line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(file, line)  # one write: lines of several walks don't mix
        finally:
            os.close(file)

    return take


def _to_endpoint(url: str, key: str) -> Sink:
    headers = {"Authorization": f"Bearer {key}"} if key else {}

    def take(event: dict[str, Any]) -> None:
        httpx.post(url, json=event, headers=headers, timeout=_PATIENCE).raise_for_status()

    return take


class Sending:
    """Sends events to a sink.

    Args:
        sink: takes them.
        name: where that is, for what is said.
    """

    def __init__(self, sink: Sink, name: str) -> None:
        """Begin to send."""
        self._sink = sink
        self._name = name
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue(_WAITING)
        self._sent = 0
        self._taken = 0
        self._last = ""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="lineage", daemon=True)
        self._thread.start()

    def send(self, event: dict[str, Any]) -> None:
        """Take an event; it is dropped, and counted, where too many wait."""
        self._sent += 1
        try:
            self._events.put_nowait(event)
        except queue.Full:
            self._last = "too many were waiting"

    def close(self) -> str:
        """Wait a moment for what is under way; give what was not taken, in words."""
        self._closing.set()
        try:
            self._events.put_nowait(None)
        except queue.Full:
            self._last = "too many were waiting"
        self._thread.join(_LAST_WAIT)
        missing = self._sent - self._taken
        if not missing:
            return ""
        return f"{missing} of {self._sent} lineage events were not taken by {self._name}: {self._last or 'no answer'}"

    def _work(self) -> None:
        tries = _TRIES
        for event in self._waiting():
            for attempt in range(tries):
                try:
                    self._sink(event)
                except (httpx.HTTPError, OSError) as error:
                    self._last = f"{type(error).__name__}: {error}".partition("\n")[0]
                    if attempt + 1 < tries:
                        self._closing.wait(_PAUSE * 2**attempt)
                else:
                    self._taken += 1
                    break
            else:
                tries = 1

    def _waiting(self) -> Iterator[dict[str, Any]]:
        while (event := self._events.get()) is not None:
            yield event
