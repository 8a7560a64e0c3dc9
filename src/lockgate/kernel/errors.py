"""The error tree, drawn once.

    LockgateError
    ├── Refused                 the caller's to mend; nothing was changed
    │   ├── Invalid             422  input does not hold to its contract; lists every fault at once
    │   ├── Malformed           400  not readable as what it claims to be
    │   ├── TooLarge            413
    │   ├── WrongMediaType      415
    │   ├── NoSuchMethod        405
    │   ├── NotFound            404  names the nearest that exists
    │   ├── Unauthenticated     401
    │   ├── Forbidden           403
    │   ├── Conflict            409  shared state is not what the caller believed; carries both values
    │   ├── GateClosed          409  a gate has no passing verdict
    │   └── Untrusted           403  a signature or digest does not hold; nothing was parsed or run
    └── Broken                  ours or the machine's to mend
        ├── Corrupt             500  stored bytes are not what their digest says
        ├── Failed              500  a step or a child process ended badly
        └── Unavailable         503  not now; try again

Every message says what was refused, what was expected and found, and the way out. The same values are attributes, so
that nobody parses a sentence. `code` is stable across releases.
"""

from typing import ClassVar

import msgspec

__all__ = [
    "Broken",
    "Conflict",
    "Corrupt",
    "Failed",
    "Fault",
    "Forbidden",
    "GateClosed",
    "Invalid",
    "LockgateError",
    "Malformed",
    "NoSuchMethod",
    "NotFound",
    "Refused",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "Untrusted",
    "WrongMediaType",
]


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing wrong in a refused input, located."""

    # Where: `rows[3].origin`, `project.py:41`, `weather.wind_speed`.
    at: str
    # What should have been there, in words.
    expected: str
    # What was there, shortened to a readable length.
    found: str
    # How to mend it, or the nearest right name; empty where the expectation already says it.
    hint: str = ""

    def __str__(self) -> str:
        """Render on one line."""
        sentence = f"{self.at}: expected {self.expected}, found {self.found}"
        return f"{sentence}. {self.hint}" if self.hint else sentence


class LockgateError(Exception):
    """Everything that Lockgate raises on purpose.

    Args:
        what: the refusal, as a sentence without its full stop.
        expected: what should have been, in words.
        found: what was.
        way_out: what the reader can do now.
        faults: all that is wrong, where there can be several.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(
        self,
        what: str,
        *,
        expected: str = "",
        found: str = "",
        way_out: str = "",
        faults: tuple[Fault, ...] = (),
    ) -> None:
        """Keep the values as attributes; the message is made from them."""
        super().__init__(what)
        self.what = what
        self.expected = expected
        self.found = found
        self.way_out = way_out
        self.faults = faults

    def __str__(self) -> str:
        """Render the whole story: refused, expected, found, way out, then each fault on its own line."""
        parts = [self.what]
        if self.expected or self.found:
            pair = [f"expected {self.expected}" if self.expected else "", f"found {self.found}" if self.found else ""]
            parts.append(f" ({', '.join(part for part in pair if part)})")
        parts.append(".")
        if self.way_out:
            parts.append(f" {self.way_out}")
        return "".join([*parts, *(f"\n  {fault}" for fault in self.faults)])

    def problem(self) -> dict[str, object]:
        """Give the RFC 9457 problem document."""
        document: dict[str, object] = {
            "type": f"urn:lockgate:error:{self.code}",
            "title": self.what,
            "status": self.status,
            "detail": str(self).partition("\n")[0],
        }
        for name in ("expected", "found", "way_out"):
            if value := getattr(self, name):
                document[name] = value
        if self.faults:
            document["errors"] = [msgspec.to_builtins(fault) for fault in self.faults]
        return document


class Refused(LockgateError):
    """The caller asked for something that can't be done as asked; nothing was changed."""

    code = "refused"
    status = 400


class Invalid(Refused):
    """Input that does not hold to its contract; `faults` lists everything that is wrong."""

    code = "invalid"
    status = 422


class Malformed(Refused):
    """Bytes that can't be read as what they claim to be."""

    code = "malformed"


class TooLarge(Refused):
    """More bytes or rows than the limit."""

    code = "too-large"
    status = 413


class WrongMediaType(Refused):
    """A content type that the route does not take."""

    code = "wrong-media-type"
    status = 415


class NoSuchMethod(Refused):
    """An HTTP method that the route does not know."""

    code = "no-such-method"
    status = 405


class NotFound(Refused):
    """A name or id that does not exist here."""

    code = "not-found"
    status = 404


class Unauthenticated(Refused):
    """No token, or one that nobody here issued, or one that has expired."""

    code = "unauthenticated"
    status = 401


class Forbidden(Refused):
    """A known caller without the scope, or a request that a browser was talked into."""

    code = "forbidden"
    status = 403


class Conflict(Refused):
    """Shared state is not what the caller believed it to be."""

    code = "conflict"
    status = 409


class GateClosed(Refused):
    """A gate stays shut: it has no passing verdict."""

    code = "gate-closed"
    status = 409


class Untrusted(Refused):
    """A signature or a digest does not hold. Raised before anything is parsed or run."""

    code = "untrusted"
    status = 403


class Broken(LockgateError):
    """Not the caller's fault."""

    code = "broken"


class Corrupt(Broken):
    """Stored bytes are not what their digest or checksum says."""

    code = "corrupt"


class Failed(Broken):
    """A step, a child process or a user's function ended badly."""

    code = "failed"


class Unavailable(Broken):
    """Not at the moment; trying again later may help."""

    code = "unavailable"
    status = 503
