"""Reads a file of rules that stands beside the project: TOML, one rule a line, each as its declaration would be called.

    source = "weather"
    profile = { file = "weather.profile.json", digest = "sha256:..." }

    [rows]
    row_count = { at_least = 10_000 }

    [columns.wind_speed]
    between = { low = 0, high = 150, at_most = 0.001 }
    psi = { warn = 0.1, at_most = 0.25 }

Every mistake is noted where it stands, with the nearest right name.
"""

import re
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from lockgate.declare import rules as declared
from lockgate.declare.mistakes import note, standing
from lockgate.declare.rules import RulesFile, RuleWanted
from lockgate.kernel.canonical import sha256
from lockgate.kernel.names import nearest
from lockgate.records.features import FieldKind

__all__ = ["OF_COLUMNS", "OF_ROWS", "read_rules"]

OF_ROWS = ("row_count", "row_change", "unique", "fresh")
"""Rules that stand under `[rows]`."""

OF_COLUMNS = (
    "typed",
    "missing",
    "between",
    "one_of",
    "unique",
    "in_order",
    "varies",
    "psi",
    "ks",
    "jensen_shannon",
    "missing_change",
    "unseen",
)
"""Rules that stand under `[columns.NAME]`."""

_TOP = ("source", "profile", "rows", "columns")
_COMPARED = ("psi", "ks", "jensen_shannon", "missing_change", "unseen")
_LINE = re.compile(r"\(at line (\d+)")
_HEADER = re.compile(r"\s*\[(.+?)\]\s*(#.*)?$")
_KEY = re.compile(r"\s*(\"[^\"]+\"|[A-Za-z0-9_-]+)\s*=")


def read_rules(file: RulesFile) -> Iterator[RuleWanted]:
    """Give the rules of a file; what is wrong with it is noted."""
    path = Path(file.where.rpartition(":")[0]).parent / file.path
    try:
        text = path.read_text()
    except OSError as error:
        note(
            file.where, expected=f"a file of rules, {file.path}", found=error.strerror or str(error), hint=_others(path)
        )
        return
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = _LINE.search(str(error))
        note(f"{path}:{line[1] if line else 1}", expected="TOML", found=str(error))
        return
    yield from _File(path, text, document).rules()


def _others(path: Path) -> str:
    return nearest(path.name, [one.name for one in path.parent.glob("*.toml")]) or "lockgate check infer writes one."


class _File:
    def __init__(self, path: Path, text: str, document: dict[str, Any]) -> None:
        self._path, self._document = path, document
        self._lines = dict(_lines(text))
        self._reference = ""

    def _at(self, *keys: str) -> str:
        """Give where a key stands, or the nearest table around it."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self._lines:
                return f"{self._path}:{self._lines[keys[:length]]}"
        return f"{self._path}:1"

    def rules(self) -> Iterator[RuleWanted]:
        for key in self._document:
            if key not in _TOP:
                note(self._at(key), expected=", ".join(_TOP), found=key, hint=nearest(key, _TOP))
        self._check_reference(self._document.get("profile"))
        for name, arguments in self._table("rows").items():
            yield from self._rule(("rows", name), name, OF_ROWS, arguments, None)
        for column in self._table("columns"):
            for name, arguments in self._table("columns", column).items():
                yield from self._rule(("columns", column, name), name, OF_COLUMNS, arguments, column)

    def _table(self, *keys: str) -> dict[str, Any]:
        found: Any = self._document
        for key in keys:
            found = found.get(key, {})
        if isinstance(found, dict):
            return found
        note(self._at(*keys), expected=f"a table [{'.'.join(keys)}]", found=repr(found)[:80])
        return {}

    def _check_reference(self, profile: Any) -> None:  # noqa: ANN401 - whatever the file says
        if profile is None:
            return
        if not isinstance(profile, dict) or set(profile) != {"file", "digest"}:
            note(self._at("profile"), expected='{ file = "...", digest = "sha256:..." }', found=repr(profile)[:80])
            return
        self._reference = str(profile["file"])
        path = self._path.parent / self._reference
        found = sha256(path.read_bytes()) if path.is_file() else "no such file"
        if found != profile["digest"]:
            hint = "lockgate check infer --replace writes both anew."
            expected = f"{self._reference} with the digest {profile['digest']}"
            note(self._at("profile"), expected=expected, found=found, hint=hint)

    def _rule(
        self,
        keys: tuple[str, ...],
        name: str,
        known: tuple[str, ...],
        arguments: Any,  # noqa: ANN401 - whatever the file says
        column: str | None,
    ) -> Iterator[RuleWanted]:
        at = self._at(*keys)
        if name not in known:
            note(at, expected=f"a rule: {', '.join(known)}", found=name, hint=nearest(name, known))
            return
        given, named = _arguments(name, arguments)
        if name in _COMPARED:
            named = {"reference": self._reference, **named}
            if not named["reference"]:
                note(at, expected="profile = { file, digest } above the rules", found=f"{name} without a reference")
                return
        with standing(at):
            rule = getattr(declared, name)(*([column] if column is not None else []), *given, **named)
        if isinstance(rule, RuleWanted):
            yield rule


def _arguments(name: str, value: Any) -> tuple[list[Any], dict[str, Any]]:  # noqa: ANN401 - whatever the file says
    """Give the arguments of a declaration: a table of names, a list of values, or the one value it can't do without."""
    if isinstance(value, dict):
        given = list(value.pop("values", [])) if isinstance(value.get("values", []), list) else []
        named = {
            key: timedelta(hours=one) if name == "fresh" and key in {"at_most", "warn"} and _is_number(one) else one
            for key, one in value.items()
        }
        return given, named
    if isinstance(value, list):
        return value, {}
    if value is True:
        return [], {}
    if name == "typed":
        known = {kind.value: kind for kind in FieldKind}
        return [known.get(value, value)], {}
    return ([], {"at_most": value}) if _is_number(value) else ([value], {})


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _lines(text: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Find the line of every table and key: one rule stands on one line."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = tuple(part.strip('" ') for part in re.findall(r'"[^"]+"|[^.]+', header[1]))
            yield table, number
        elif key := _KEY.match(line):
            yield (*table, key[1].strip('"')), number
