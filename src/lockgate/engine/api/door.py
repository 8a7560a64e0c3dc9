"""The door of the API: looks at the head of every request, as the endpoint does (`serving.guard`), before any route."""

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from lockgate.kernel.errors import LockgateError
from lockgate.serving.guard import check_host, check_length, check_media_type, check_origin, read_headers

__all__ = ["Door"]

_LONGEST_BODY = 1 << 20


class Door:
    """ASGI middleware.

    Args:
        app: what is behind it.
        port: that we listen on.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        """Stand before it."""
        self._app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it here."""
        if scope["type"] == "http":
            try:
                self._look(scope)
            except LockgateError as error:
                await _refuse(error, send)
                return
        await self._app(scope, receive, send)

    def _look(self, scope: Scope) -> None:
        headers = read_headers(scope["headers"])
        check_host(headers.get("host"), self._port)
        check_origin(headers, self._port)
        if scope["method"] in {"POST", "PUT", "PATCH"}:
            check_media_type(headers)
            check_length(headers, _LONGEST_BODY)


async def _refuse(error: LockgateError, send: Send) -> None:
    body = msgspec.json.encode(error.problem())
    kind, length = (b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": error.status, "headers": [kind, length]})
    await send({"type": "http.response.body", "body": body})
