"""The endpoint as an ASGI application: lets requests in, has them answered, and turns every error into a reply.

In this order: head (`guard`), route, token, body. A body is refused by its stated length before it is read, and while
it is read when it grows too long or does not come.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from lockgate.kernel.errors import Failed, Forbidden, LockgateError, Malformed, NoSuchMethod, NotFound, TooLarge
from lockgate.kernel.names import nearest
from lockgate.serving.grants import Grants
from lockgate.serving.guard import check_host, check_length, check_origin, guard, read_headers
from lockgate.serving.replies import Reply, problem_reply
from lockgate.serving.routes import Request, Route, Routes
from lockgate.serving.surroundings import Surroundings

__all__ = ["LONGEST_BODY", "App"]

LONGEST_BODY = 4 << 20
"""Bytes that a body may have."""

_BODY_SECONDS = 10.0

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]


class _Handled(msgspec.Struct, frozen=True):
    reply: Reply
    # The endpoint it was about; empty where that was not found out.
    endpoint: str


class App:
    """Answers HTTP.

    Args:
        around: what the worker gives.
        routes: what can be asked.
        grants: who may ask.
        port: that we listen on.
    """

    def __init__(self, around: Surroundings, routes: Routes, grants: Grants, port: int) -> None:
        self._around, self._routes, self._grants, self._port = around, routes, grants, port

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Answer a request."""
        began = self._around.stopwatch()
        handled = await self._handle(scope, receive)
        reply = handled.reply
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.raw_headers()})
        await send({"type": "http.response.body", "body": reply.body})
        if handled.endpoint:
            self._around.tally.took(handled.endpoint, self._around.stopwatch() - began)

    async def _handle(self, scope: _Message, receive: _Receive) -> _Handled:
        request = Request("", {}, "", _nothing)
        allowed = ""
        try:
            request.headers = read_headers(scope["headers"])
            route, request.argument = self._route(scope["path"], request.headers)
            allowed = route.method
            guard(scope["method"], request.headers, port=self._port, allowed=(route.method,))
            request.by = self._caller(route, request.headers)
            check_length(request.headers, LONGEST_BODY)
            request.body = lambda: _read_body(receive)
            return _Handled(await route.answer(request), request.endpoint)
        except LockgateError as error:
            refusal = error
        except Exception as error:  # noqa: BLE001 - a request's handling begins here; it is answered whatever happens
            refusal = Failed("This worker failed on the request", found=f"{type(error).__name__}: {error}")
        self._around.tally.count("lockgate_refused_total", endpoint=request.endpoint, code=refusal.code)
        return _Handled(problem_reply(refusal, allowed if isinstance(refusal, NoSuchMethod) else ""), request.endpoint)

    def _route(self, path: str, headers: dict[str, str]) -> tuple[Route, str]:
        found = self._routes.find(path)
        if found is None:
            # A foreign page is not told what there is.
            check_host(headers.get("host"), self._port)
            check_origin(headers, self._port)
            raise NotFound("There is nothing here", found=path[:100], way_out=nearest(path[:100], self._routes.paths))
        return found

    def _caller(self, route: Route, headers: dict[str, str]) -> str:
        authorization = headers.get("authorization")
        if not route.scopes or (route.half_open and authorization is None):
            return ""
        *others, last = route.scopes
        for scope in others:
            try:
                return self._grants.check(authorization, scope, self._around.now())
            except Forbidden:
                continue
        return self._grants.check(authorization, last, self._around.now())


async def _nothing() -> bytes:
    return b""


async def _read_body(receive: _Receive) -> bytes:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        _check_size(message["body"])
        return bytes(message["body"])
    parts = bytearray(message.get("body", b""))
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            while message["type"] == "http.request" and message.get("more_body"):
                _check_size(parts)
                message = await receive()
                parts += message.get("body", b"")
    except TimeoutError:
        raise Malformed(
            "The body did not come",
            expected=f"all of it within {_BODY_SECONDS:g} seconds",
            found=f"{len(parts):,} bytes",
        ) from None
    if message["type"] != "http.request":
        raise Malformed("The body did not come", expected="all of it", found=f"{len(parts):,} bytes, then nobody")
    _check_size(parts)
    return bytes(parts)


def _check_size(body: bytes | bytearray) -> None:
    if len(body) > LONGEST_BODY:
        raise TooLarge(
            "This body is too long", expected=f"at most {LONGEST_BODY:,} bytes", found=f"{len(body):,} bytes so far"
        )
