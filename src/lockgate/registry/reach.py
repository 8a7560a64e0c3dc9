"""Decides what may be deleted: pure functions over names and what mentions what.

- What a root mentions is reached, and what that mentions, and so on, through every mention of every record.
- What is reached is never given up. What is not reached, and is older than the grace, is.
- For each that is reached there is a path of mentions from a root to it: the proof. For each that is given up there is
  what mentioned it last, if anything did.
- Nothing here knows a rule of retention: the rules say what the roots are.
"""

import re
from collections import deque
from collections.abc import Collection, Container, Iterable, Mapping
from datetime import datetime

from lockgate.kernel.canonical import Digest
from lockgate.ledger.protocols import Blob

__all__ = ["given_up", "mentioned_in", "path_to", "reach", "resting_on"]

_DIGEST = re.compile(rb"sha256:[0-9a-f]{64}")

Mentions = Mapping[str, Collection[str]]
"""What each name mentions."""


def mentioned_in(body: bytes) -> frozenset[Digest]:
    """Give every digest that stands anywhere in a record, whatever the record is."""
    return frozenset(found.decode() for found in _DIGEST.findall(body))


def reach(roots: Iterable[str], mentions: Mentions) -> dict[str, str]:
    """Give all that is reached, each with what mentioned it on the way from the first root that reaches it.

    A root that no earlier one reaches is there with itself.
    """
    came_from: dict[str, str] = {}
    for root in roots:
        waiting = deque([] if root in came_from else [root])
        came_from.setdefault(root, root)
        while waiting:
            name = waiting.popleft()
            for mentioned in mentions.get(name, ()):
                if mentioned not in came_from:
                    came_from[mentioned] = name
                    waiting.append(mentioned)
    return came_from


def path_to(name: str, came_from: Mapping[str, str]) -> tuple[str, ...]:
    """Give the path from a root to what is reached, the root first; empty where it is not reached."""
    if name not in came_from:
        return ()
    path = [name]
    while came_from[path[-1]] != path[-1]:
        path.append(came_from[path[-1]])
    return tuple(reversed(path))


def given_up(blobs: Iterable[Blob], reached: Container[str], before: datetime) -> list[Blob]:
    """Give the blobs that may be deleted: not reached, and stored before a moment."""
    return [blob for blob in blobs if blob.digest not in reached and blob.at < before]


def resting_on(gone: Iterable[str], mentions: Mentions) -> set[str]:
    """Give all that mentions what is gone, at whatever distance: none of it is whole any more."""
    mentioned_by: dict[str, list[str]] = {}
    for name, mentioned in mentions.items():
        for one in mentioned:
            mentioned_by.setdefault(one, []).append(name)
    return set(reach(gone, mentioned_by))
