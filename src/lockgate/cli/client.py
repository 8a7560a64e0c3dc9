"""Speaks to the control plane's API: to the one that is running for this state folder, else to one in this process.

Either way it is the same API with the same token, so a command does the same thing whether `lockgate up` runs or not.
"""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import httpx

from lockgate.kernel.errors import Broken, Fault, LockgateError, Refused, Unavailable
from lockgate.kernel.folders import StateFolder

__all__ = ["Client", "connect"]

_PATIENCE = 60.0
_OURS = 500


def _error(problem: dict[str, Any], status: int) -> LockgateError:
    """Give the error that the API answered with: the caller's to mend, or not."""
    kind = Broken if status >= _OURS else Refused
    return kind(
        problem.get("title", f"The API answered {status}"),
        expected=problem.get("expected", ""),
        found=problem.get("found", ""),
        way_out=problem.get("way_out", ""),
        faults=tuple(Fault(**fault) for fault in problem.get("errors", ())),
    )


class _Send(Protocol):
    def __call__(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response: ...


class Client:
    """The API, as commands use it.

    Args:
        send: sends a request.
        there: tells whether whoever answers is still there, or is being started again.
    """

    def __init__(self, send: _Send, there: Callable[[], bool] = lambda: True) -> None:
        """Hold the way to send."""
        self._send = send
        self.there = there

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Read.

        Raises:
            LockgateError: what the API refused.
        """
        return _answer(self._send("GET", path, None))

    def get_bytes(self, path: str) -> bytes:
        """Read what is no JSON.

        Raises:
            LockgateError: what the API refused.
        """
        response = self._send("GET", path, None)
        if not response.is_success:
            _answer(response)
        return response.content

    def post(self, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Change.

        Raises:
            LockgateError: what the API refused.
        """
        return _answer(self._send("POST", path, body))


@contextmanager
def connect(state: Path) -> Iterator[Client]:
    """Connect to the control plane of a state folder.

    Raises:
        Unavailable: it can't be reached, or the folder can't be opened.
    """
    folder = StateFolder(state.resolve())
    url = _running(folder)
    if url is not None:
        with httpx.Client(base_url=url, timeout=_PATIENCE, headers=_headers(folder)) as http:
            yield Client(
                lambda method, path, body: _over_network(http, method, path, body),
                there=lambda: _running(folder) is not None,
            )
        return
    # Only here: a command that finds a running control plane has no use for one of its own.
    from lockgate.engine.api.app import make_app  # noqa: PLC0415
    from lockgate.engine.clock import now  # noqa: PLC0415
    from lockgate.engine.installation import installation  # noqa: PLC0415
    from lockgate.engine.runner import Runner  # noqa: PLC0415

    with installation(folder.root, now) as where:
        runner = Runner(where, attended=True)
        transport = httpx.ASGITransport(make_app(where, runner), raise_app_exceptions=True)
        yield Client(lambda *asked: asyncio.run(_in_process(transport, _headers(folder), *asked)))
        runner.stop()


def _running(folder: StateFolder) -> str | None:
    """Give the URL of the running control plane; None where none runs, or what is written of it is stale."""
    try:
        up = json.loads(folder.up.read_bytes())
        os.kill(up["pid"], 0)
    except (OSError, ValueError, KeyError):
        return None
    url = up["control"]
    return str(url) if url else None


def _headers(folder: StateFolder) -> dict[str, str]:
    try:
        return {"Authorization": f"Bearer {folder.token.read_text().strip()}"}
    except OSError as error:
        msg = "The local user's token can't be read"
        raise Unavailable(msg, expected=str(folder.token), found=str(error)) from error


def _over_network(http: httpx.Client, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
    try:
        return http.request(method, path, json=body)
    except httpx.HTTPError as error:
        msg = f"The control plane at {http.base_url} does not answer"
        raise Unavailable(
            msg, found=f"{type(error).__name__}: {error}", way_out="Is lockgate up still running?"
        ) from error


async def _in_process(
    transport: httpx.ASGITransport, headers: dict[str, str], method: str, path: str, body: dict[str, Any] | None
) -> httpx.Response:
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as http:
        return await http.request(method, path, json=body)


def _answer(response: httpx.Response) -> Any:  # noqa: ANN401 - JSON
    if response.is_success:
        return response.json()
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    raise _error(problem, response.status_code)
