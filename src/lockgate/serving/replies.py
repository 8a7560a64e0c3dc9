"""What goes back: a status, a body and headers. Errors are RFC 9457 problems."""

from typing import Any

import msgspec

from lockgate.kernel.errors import LockgateError, Unauthenticated, Unavailable

__all__ = ["Reply", "json_reply", "problem_reply"]

_JSON = "application/json"


class Reply(msgspec.Struct, frozen=True):
    """An answer to a request."""

    status: int
    body: bytes
    media_type: str = _JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """Give all headers. Nothing in between may keep an answer."""
        return [
            (b"content-type", self.media_type.encode()),
            (b"content-length", b"%d" % len(self.body)),
            (b"cache-control", b"no-store"),
            *self.headers,
        ]


def json_reply(value: Any, status: int = 200) -> Reply:  # noqa: ANN401 - anything that JSON can say
    """Answer with JSON."""
    return Reply(status, msgspec.json.encode(value))


def problem_reply(error: LockgateError, allowed: str = "") -> Reply:
    """Answer with what went wrong.

    Args:
        error: it.
        allowed: the methods that the route takes, where the method was wrong.
    """
    headers: list[tuple[bytes, bytes]] = []
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b'Bearer realm="lockgate"'))
    if isinstance(error, Unavailable):
        headers.append((b"retry-after", b"1"))
    if allowed:
        headers.append((b"allow", allowed.encode()))
    return Reply(error.status, msgspec.json.encode(error.problem()), "application/problem+json", tuple(headers))
