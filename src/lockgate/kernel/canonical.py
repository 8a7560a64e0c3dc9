"""Canonical JSON and digests: the same value always gives the same bytes, and so the same id.

Canonical JSON is RFC 8785 (JCS): keys sorted, no white space, numbers as ECMAScript writes them; integers beyond 2**53,
NaN and infinities are refused. Times are UTC with a `Z`, spans are ISO 8601 durations.

A digest is `sha256:` and 64 hexadecimal digits. Twelve are enough for people (`short`).
"""

import hashlib
import re
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar, dataclass_transform

import msgspec
import rfc8785

from lockgate.kernel.errors import Corrupt, Malformed

__all__ = ["Digest", "Instant", "Record", "canonical", "digest_of", "is_digest", "parse", "sha256", "short", "utc"]

T = TypeVar("T")

Digest = Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]
"""`sha256:<64 hexadecimal digits>`"""

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment; naive times are refused."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """A frozen value that is kept: its document names its type and version (`"type": "snapshot/1"`)."""


def canonical(value: Any) -> bytes:  # noqa: ANN401 - anything that JSON can say
    """Write a record, or plain JSON values, as canonical JSON (RFC 8785).

    Raises:
        Malformed: the value holds something that canonical JSON can't say exactly.
    """
    try:
        plain = msgspec.to_builtins(value, str_keys=True, order="deterministic", builtin_types=(datetime,))
        return rfc8785.dumps(_in_utc(plain))
    except (rfc8785.CanonicalizationError, TypeError, UnicodeError) as error:
        msg = "This value has no canonical JSON"
        raise Malformed(msg, expected="finite numbers, integers within 2**53, text, times", found=str(error)) from error


def _in_utc(value: Any) -> Any:  # noqa: ANN401 - JSON values, and moments
    """Write every moment in UTC: one moment has one text, whatever zone it came in."""
    if isinstance(value, dict):
        return {key: _in_utc(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_in_utc(item) for item in value]
    return msgspec.to_builtins(utc(value)) if isinstance(value, datetime) else value


def sha256(data: bytes) -> Digest:
    """Digest bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def digest_of(value: Any) -> Digest:  # noqa: ANN401 - anything that JSON can say
    """Digest a record or plain JSON values: sha256 of the canonical JSON."""
    return sha256(canonical(value))


def parse(data: bytes, kind: type[T], *, digest: Digest | None = None) -> T:
    """Read a record from its JSON, strictly; verify its digest where one is given.

    Raises:
        Corrupt: the bytes are not the ones the digest names.
        Malformed: they are not a `kind`.
    """
    if digest is not None and (found := sha256(data)) != digest:
        msg = f"This {kind.__name__} is not the one asked for"
        raise Corrupt(msg, expected=digest, found=found)
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError, UnicodeError) as error:
        msg = f"These bytes are not a {kind.__name__}"
        raise Malformed(msg, found=str(error)) from error


def is_digest(text: str) -> bool:
    """Tell whether a text is a whole digest."""
    return _DIGEST.fullmatch(text) is not None


def short(digest: str) -> str:
    """Shorten a digest for people: its first twelve digits."""
    return digest.removeprefix("sha256:")[:12]


def utc(moment: datetime) -> datetime:
    """Bring a moment to UTC; a naive one is refused, since nobody knows what it means.

    Raises:
        Malformed: the moment has no zone.
    """
    if moment.tzinfo is None:
        msg = "A time without a zone"
        raise Malformed(msg, expected="an offset, such as 2013-03-01T08:15:00-05:00", found=moment.isoformat())
    return moment.astimezone(UTC)
