"""Makes skops files deterministic: the same model, the same bytes, on whatever machine.

- skops names members and objects by memory address and stamps members with the time of day. Here they are numbered in
  the order of the schema, and every member has the earliest date a zip can say.
- Whether two equal numbers or texts are one object is up to the interpreter. What can't change has no number here.
- What lies between the fields of an array's rows is zero.
- Some estimators note how many cores there were, or what they were asked. It is noted as one: it changes no answer.
"""

import io
import json
import re
import zipfile
from typing import Any

import numpy as np

from lockgate.kernel.errors import TooLarge

__all__ = ["check_unpacked", "deterministic"]

_SCHEMA = "schema.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_ALWAYS = 64 << 20
_TIMES = 100
_UNCHANGING = frozenset(["JsonNode", "TypeNode", "FunctionNode", "DTypeNode", "TupleNode"])
_COUNTS = {
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper": ("n_threads",),
    "sklearn.cluster._kmeans.KMeans": ("_n_threads",),
    "sklearn.cluster._kmeans.MiniBatchKMeans": ("_n_threads",),
    "sklearn.cluster._bisect_k_means.BisectingKMeans": ("_n_threads",),
    "sklearn.neighbors._kd_tree.KDTree": (7, 8, 9, 10),
    "sklearn.neighbors._ball_tree.BallTree": (7, 8, 9, 10),
}
"""By class, the attributes, or places of its state, that count threads of a machine or questions that were asked."""

_GAP, _HEADER = b"('', '|V", 4_096
_MEMBER = re.compile(r"(\d+)(\.\w+)")


def deterministic(data: bytes) -> bytes:
    """Rewrite a skops file."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members.pop(_SCHEMA))
    _settle(schema)
    numbers: dict[int, int] = {}
    _collect(schema, numbers)
    renamed = {_renamed(name, numbers): _without_gaps(body) for name, body in members.items()}
    renamed[_SCHEMA] = json.dumps(_renumber(schema, numbers), indent=1).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(renamed):
            archive.writestr(_member(name), renamed[name])
    return target.getvalue()


def _without_gaps(body: bytes) -> bytes:
    """Fill what lies between the fields of an array's rows with zeros: it is whatever was in memory there."""
    if not body.startswith(b"\x93NUMPY") or _GAP not in body[:_HEADER]:
        return body
    given = np.load(io.BytesIO(body), allow_pickle=False)
    filled = np.zeros(given.shape, given.dtype)
    for name in given.dtype.names:
        filled[name] = given[name]
    target = io.BytesIO()
    np.save(target, filled, allow_pickle=False)
    return target.getvalue()


def check_unpacked(data: bytes) -> None:
    """Refuse a zip that would become far more than it is; no member is read past the size that is stated for it.

    Raises:
        TooLarge: it would.
        zipfile.BadZipFile: it is none.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = sum(member.file_size for member in archive.infolist())
    most = max(_ALWAYS, _TIMES * len(data))
    if size > most:
        msg = "This archive would unpack to far more than it is; nothing of it was unpacked"
        raise TooLarge(msg, expected=f"{most:,} bytes at most", found=f"{size:,} bytes")


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.compress_type = zipfile.ZIP_DEFLATED
    return member


def _settle(node: Any) -> None:  # noqa: ANN401 - any JSON value
    """Take out what is not of the model: the identity of what can't change, and what was counted."""
    if isinstance(node, dict):
        if node.get("__loader__") in _UNCHANGING:
            node.pop("__id__", None)
        if node.get("__loader__") == "ObjectNode":
            kept = (node.get("content") or {}).get("content", ())
            for place in _COUNTS.get(f"{node.get('__module__')}.{node.get('__class__')}", ()):
                if place in kept or isinstance(place, int):
                    kept[place]["content"] = "1"
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _settle(value)


def _collect(node: Any, numbers: dict[int, int]) -> None:  # noqa: ANN401 - any JSON value
    """Number object ids in the order in which the schema first names them."""
    if isinstance(node, dict):
        if isinstance(identity := node.get("__id__"), int):
            numbers.setdefault(identity, len(numbers) + 1)
        for value in node.values():
            _collect(value, numbers)
    elif isinstance(node, list):
        for value in node:
            _collect(value, numbers)


def _renumber(node: Any, numbers: dict[int, int]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(node, dict):
        return {key: _value(key, value, numbers) for key, value in node.items()}
    if isinstance(node, list):
        return [_renumber(value, numbers) for value in node]
    return node


def _value(key: str, value: Any, numbers: dict[int, int]) -> Any:  # noqa: ANN401 - any JSON value
    if key == "__id__" and isinstance(value, int):
        return numbers[value]
    if key == "file" and isinstance(value, str):
        return _renamed(value, numbers)
    return _renumber(value, numbers)


def _renamed(name: str, numbers: dict[int, int]) -> str:
    match = _MEMBER.fullmatch(name)
    if match is None or int(match[1]) not in numbers:
        return name
    return f"{numbers[int(match[1])]}{match[2]}"
