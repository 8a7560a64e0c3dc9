"""What `lockgate package import` was told, as the API takes it: paths from the root, bounds as numbers."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lockgate.cli.comparing import span
from lockgate.kernel.errors import Invalid

__all__ = ["asked_of"]

_AS_SAID = ("name", "key", "asked_at", "outcome", "answers", "min_rows", "task", "threshold", "tolerance", "timezone",
            "owner", "rollout")  # fmt: skip


def asked_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is asked for, by the names of the command's options.

    Raises:
        Invalid: a bound or a span can't be read.
    """
    after = span(said["final_after"])
    return {
        **{name: said[name] for name in _AS_SAID},
        "path": _absolute(said["path"]),
        "example": str(said["example"].absolute()),
        "columns": [one.strip() for one in said["columns"].split(",") if one.strip()],
        "build": _absolute(said["build"]) if said["build"] else "",
        "gates": str(said["gates"].absolute()) if said["gates"] else "",
        "arguments": _object(said["arguments"]),
        "floors": _bounds("--floor", said["floor"] or ()),
        "ceilings": _bounds("--ceiling", said["ceiling"] or ()),
        "final_after": f"P{after.days}DT{after.seconds}S",
    }


def _absolute(path: str) -> str:
    """Give a path from the root; of `script.py:function` that of the script. A module's name is its file's."""
    place, mark, function = path.rpartition(":")
    if not mark or Path(path).exists() or not function.isidentifier():
        return str(Path(path).absolute())
    script = place if place.endswith(".py") else f"{place.replace('.', '/')}.py"
    return f"{Path(script).absolute()}:{function}"


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Invalid("--arguments can't be read", expected="a JSON object", found=text[:80])
    return found


def _bounds(option: str, texts: Sequence[str]) -> dict[str, float]:
    bounds = {}
    for text in texts:
        name, mark, value = text.partition("=")
        try:
            bounds[name] = float(value)
        except ValueError as error:
            raise Invalid(f"{option} {text} can't be read", expected="METRIC=NUMBER", found=text) from error
        if not mark or not name:
            raise Invalid(f"{option} {text} can't be read", expected="METRIC=NUMBER", found=text)
    return bounds
