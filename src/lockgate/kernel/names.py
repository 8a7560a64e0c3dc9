"""Names that people choose, and the nearest right one when they mistype it."""

import difflib
import re
from collections.abc import Iterable

__all__ = ["is_name", "nearest"]

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 63


def is_name(text: str) -> bool:
    """Tell whether a text can name a project or an endpoint: lower case, digits, single hyphens; 63 characters."""
    return len(text) <= _LONGEST and _NAME.fullmatch(text) is not None


def nearest(text: str, known: Iterable[str]) -> str:
    """Say `did you mean 'x'?` for the closest known name, else list what there is; empty where nothing is known.

    >>> nearest("orgin", ["origin", "carrier"])
    "Did you mean 'origin'?"
    """
    names = sorted(known)
    if match := difflib.get_close_matches(text, names, n=1, cutoff=0.6):
        return f"Did you mean '{match[0]}'?"
    return f"There is {', '.join(names[:12])}{', …' if len(names) > 12 else ''}." if names else ""  # noqa: PLR2004
