"""Compiles how a source is read, and notes what is wrong with it."""

import zoneinfo
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lockgate.declare.mistakes import StandIn, note
from lockgate.declare.readers import ReaderWanted
from lockgate.declare.sources import Source
from lockgate.kernel.names import nearest
from lockgate.records.source import Reader, ReaderKind

__all__ = ["compile_reader", "function_name", "readable", "zones"]

_SCHEMES = ("", "file", "s3", "s3a")
"""Where files are read from: here, or an object store that speaks S3."""

_COLUMN_TYPES = ("bool", "int", "float", "text", "time")


def compile_reader(source: Source) -> Reader | None:
    """Compile; None where it can't be."""
    if not isinstance(source.rows, ReaderWanted):
        function = function_name(source.rows, source.where, "a source")
        return None if function is None else Reader(kind=ReaderKind.FUNCTION, where=function)
    wanted = source.rows
    if not source.name.isidentifier():
        found = repr(source.name) if source.name else "none"
        note(source.where, expected="a name for the source: name='...', letters, digits and underscores", found=found)
    if wanted.kind == "sql":
        _check_database(wanted)
    else:
        _check_place(wanted)
    _check_options(wanted)
    return Reader(kind=ReaderKind(wanted.kind), where=wanted.place, options=dict(wanted.options))


def _check_place(wanted: ReaderWanted) -> None:
    parts = urlsplit(wanted.place)
    if not wanted.place:
        note(wanted.where, expected="a path or URL", found="an empty text")
    elif parts.scheme not in _SCHEMES:
        note(wanted.where, expected="a path, or a URL that begins with s3://", found=repr(wanted.place))
    _check_no_password(wanted, parts.password)


def _check_database(wanted: ReaderWanted) -> None:
    if "url_env" in wanted.options:
        return
    parts = urlsplit(wanted.place)
    if not parts.scheme or "://" not in wanted.place:
        hint = "Write it as postgresql://user@host/database."
        note(wanted.where, expected="the URL of a database", found=repr(wanted.place), hint=hint)
    _check_no_password(wanted, parts.password)


def _check_no_password(wanted: ReaderWanted, password: str | None) -> None:
    if password is not None or "password" in parse_qs(urlsplit(wanted.place).query):
        hint = "Leave it to the environment (PGPASSWORD and its kin), or name a variable: url_env='SALES_DB'."
        note(wanted.where, expected="a URL without a password", found="one with a password", hint=hint)


def _check_options(wanted: ReaderWanted) -> None:
    zone = wanted.options.get("timezone")
    if zone is not None and zone not in zones():
        note(wanted.where, expected="the name of a time zone", found=repr(zone), hint=nearest(zone, zones()))
    version = wanted.options.get("version", 0)
    if version < 0:
        note(wanted.where, expected="a version from 0 on", found=repr(version))
    if len(wanted.options.get("separator", ",")) != 1:
        note(wanted.where, expected="one character between columns", found=repr(wanted.options["separator"]))
    if any(not isinstance(text, str) for text in wanted.options.get("null", ())):
        note(wanted.where, expected="texts that mean null", found=repr(wanted.options["null"])[:80])
    for column, kind in wanted.options.get("types", {}).items():
        if kind not in _COLUMN_TYPES:
            expected = f"{column} as one of {', '.join(_COLUMN_TYPES)}"
            note(wanted.where, expected=expected, found=repr(kind), hint=nearest(str(kind), _COLUMN_TYPES))
    for name in ("overlap", "overlap_seconds"):
        if wanted.options.get(name, 0) < 0:
            note(wanted.where, expected="an overlap that is not negative", found=repr(wanted.options[name]))


def function_name(function: Callable[..., Any], place: str, what: str) -> str | None:
    """Name a function at the top of a module, as `module:qualname`; anything else is noted."""
    name = getattr(function, "__qualname__", "")
    if isinstance(function, StandIn):
        return None
    if not callable(function) or not name or "<" in name:
        note(place, expected=f"{what} from a function at the top of a module", found=readable(function))
        return None
    return f"{function.__module__}:{name}"


@cache
def zones() -> frozenset[str]:
    """Give the names of all time zones."""
    return frozenset(zoneinfo.available_timezones())


def readable(value: object) -> str:
    """Name what was declared, for an error."""
    name = getattr(value, "__name__", None)
    return str(name) if name else repr(value)[:80]
