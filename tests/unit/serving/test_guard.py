"""The head of a request: who may come in."""

import pytest

from lockgate.kernel.errors import Forbidden, LockgateError, Malformed, NoSuchMethod, TooLarge, WrongMediaType
from lockgate.serving.guard import check_length, guard, is_loopback, read_headers

RIGHT = {"host": "127.0.0.1:8080", "content-type": "application/json"}

COMES_IN = {
    "our address": {},
    "our name": {"host": "localhost:8080"},
    "our name in capitals": {"host": "LocalHost:8080"},
    "our address in version 6": {"host": "[::1]:8080"},
    "another address of this machine": {"host": "127.1.2.3:8080"},
    "our own page": {"origin": "http://localhost:8080"},
    "a browser's own doing": {"sec-fetch-site": "none"},
    "a charset beside the type": {"content-type": "Application/JSON; charset=utf-8"},
}


@pytest.mark.parametrize("changes", COMES_IN.values(), ids=COMES_IN)
def test_comes_in(changes: dict[str, str]) -> None:
    guard("POST", RIGHT | changes, port=8080, allowed=["POST"])


STAYS_OUT: dict[str, tuple[dict[str, str], type[LockgateError]]] = {
    "a foreign name that resolves to us": ({"host": "evil.example:8080"}, Forbidden),
    "no host": ({"host": ""}, Forbidden),
    "another port": ({"host": "127.0.0.1:8081"}, Forbidden),
    "no port": ({"host": "127.0.0.1"}, Forbidden),
    "a port that is none": ({"host": "127.0.0.1:8080x"}, Forbidden),
    "a port in other digits": ({"host": "127.0.0.1:٨٠٨٠"}, Forbidden),
    "a name that begins like ours": ({"host": "localhost.evil.example:8080"}, Forbidden),
    "an address of the network": ({"host": "192.168.1.5:8080"}, Forbidden),
    "a page of another site": ({"origin": "https://evil.example"}, Forbidden),
    "a page without an origin": ({"origin": "null"}, Forbidden),
    "a page of another port": ({"origin": "http://localhost:3000"}, Forbidden),
    "our page over TLS, which we do not speak": ({"origin": "https://localhost:8080"}, Forbidden),
    "what a browser calls cross-site": ({"sec-fetch-site": "cross-site"}, Forbidden),
    "what a browser calls same-site": ({"sec-fetch-site": "same-site"}, Forbidden),
    "a form": ({"content-type": "application/x-www-form-urlencoded"}, WrongMediaType),
    "plain text": ({"content-type": "text/plain"}, WrongMediaType),
    "no type": ({"content-type": ""}, WrongMediaType),
    "a compressed body": ({"content-encoding": "gzip"}, WrongMediaType),
}


@pytest.mark.parametrize(("changes", "error"), STAYS_OUT.values(), ids=STAYS_OUT)
def test_stays_out(changes: dict[str, str], error: type[LockgateError]) -> None:
    with pytest.raises(error):
        guard("POST", RIGHT | changes, port=8080, allowed=["POST"])


def test_a_method_that_the_route_does_not_take_is_refused() -> None:
    with pytest.raises(NoSuchMethod, match="expected POST, found GET"):
        guard("GET", RIGHT, port=8080, allowed=["POST"])


def test_a_host_without_a_port_means_port_80() -> None:
    guard("GET", {"host": "localhost"}, port=80, allowed=["GET"])


def test_a_get_needs_no_type() -> None:
    guard("GET", {"host": "localhost:8080"}, port=8080, allowed=["GET"])


def test_a_header_that_decides_something_comes_once() -> None:
    with pytest.raises(Malformed):
        read_headers([(b"Host", b"127.0.0.1:8080"), (b"host", b"evil.example")])
    assert read_headers([(b"Accept", b"a"), (b"accept", b"b")]) == {"accept": "b"}


def test_a_body_is_refused_by_its_stated_length() -> None:
    check_length({"content-length": "100"}, 100)
    check_length({}, 100)
    with pytest.raises(TooLarge):
        check_length({"content-length": "101"}, 100)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("192.0.2.1", False),
        ("", False),
        ("example.org", False),
    ],
)
def test_loopback(name: str, expected: bool) -> None:
    assert is_loopback(name) is expected
