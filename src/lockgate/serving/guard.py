"""What a request's head must say before anything else of it is looked at. Pure functions over method and headers.

- The Host is this machine's own name for itself, with the right port: a foreign name that resolves to it is refused
  (DNS rebinding).
- A browser speaks for no other site: Origin, where there is one, is ours.
- A body is JSON, and says so; a form that another site made can't say that.
- A header that decides something comes once.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

from lockgate.kernel.errors import Forbidden, Malformed, NoSuchMethod, TooLarge, WrongMediaType

__all__ = [
    "check_host",
    "check_length",
    "check_media_type",
    "check_method",
    "check_origin",
    "guard",
    "is_loopback",
    "read_headers",
]

_ONCE = frozenset(["authorization", "content-length", "content-type", "host", "idempotency-key", "origin"])
_BODIES = frozenset(["POST", "PUT", "PATCH"])
_HTTP_PORT = 80


def read_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Give headers by name in lower case.

    Raises:
        Malformed: one that decides something came twice.
    """
    headers: dict[str, str] = {}
    for name, value in raw:
        key = name.decode("latin-1").lower()
        if key in headers and key in _ONCE:
            raise Malformed("A header came twice", expected=f"one {key}", found="several")
        headers[key] = value.decode("latin-1")
    return headers


def guard(method: str, headers: Mapping[str, str], *, port: int, allowed: Sequence[str]) -> None:
    """Let a request's head pass, or not.

    Args:
        method: of the request.
        headers: as `read_headers` gives them.
        port: that we listen on.
        allowed: the methods of the route.

    Raises:
        Forbidden: its Host or Origin is not ours.
        NoSuchMethod: the route does not take the method.
        WrongMediaType: its body is not JSON.
    """
    check_host(headers.get("host"), port)
    check_origin(headers, port)
    check_method(method, allowed)
    if method in _BODIES:
        check_media_type(headers)


def check_host(host: str | None, port: int) -> None:
    """Refuse a Host that is not loopback with our port."""
    name, found_port = _split(host or "")
    if is_loopback(name) and found_port == port:
        return
    raise Forbidden(
        "This request was meant for another host",
        expected=f"the header 'Host: 127.0.0.1:{port}', or localhost",
        found=host or "no such header",
    )


def check_origin(headers: Mapping[str, str], port: int) -> None:
    """Refuse what a page of another site had a browser send."""
    origin = headers.get("origin")
    if origin is not None:
        scheme, _, rest = origin.partition("://")
        name, found_port = _split(rest)
        if scheme != "http" or not is_loopback(name) or found_port != port:
            raise Forbidden("A page of another site sent this", expected="no Origin but our own", found=origin)
    elif headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        raise Forbidden(
            "A page of another site sent this",
            expected="Sec-Fetch-Site same-origin or none",
            found=headers["sec-fetch-site"],
        )


def check_method(method: str, allowed: Sequence[str]) -> None:
    """Refuse a method that the route does not take."""
    if method not in allowed:
        raise NoSuchMethod(f"This route does not take {method}", expected=" or ".join(allowed), found=method)


def check_media_type(headers: Mapping[str, str]) -> None:
    """Refuse a body that does not say it is JSON, or is compressed."""
    found = headers.get("content-type", "")
    if found.partition(";")[0].strip().lower() != "application/json":
        raise WrongMediaType(
            "A body comes as JSON",
            expected="the header 'Content-Type: application/json'",
            found=found or "no such header",
        )
    if headers.get("content-encoding", "identity") != "identity":
        raise WrongMediaType("A body comes as it is", expected="no Content-Encoding", found=headers["content-encoding"])


def check_length(headers: Mapping[str, str], limit: int) -> None:
    """Refuse a body whose head says that it is too long, before any of it is read.

    Raises:
        TooLarge: it says so.
    """
    said = headers.get("content-length", "0")
    if said.isdigit() and int(said) > limit:
        raise TooLarge("This body is too long", expected=f"at most {limit:,} bytes", found=f"{int(said):,} bytes")


def is_loopback(name: str) -> bool:
    """Tell whether a host name means this machine alone."""
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _split(host: str) -> tuple[str, int]:
    """Give name and port of `name:port`; port 0 where it is none."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host, _HTTP_PORT
    return name, int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0  # noqa: PLR2004 - 65535
