"""Packages as somebody would make them who means harm: each with a canary that is there if anything of it ran.

- UNSIGNED: nobody who is trusted signed the release.
- SWAPPED, SWAPPED_ENVIRONMENT: the release is signed, and something else lies there than it is about.
- NO_PACKAGE: signed by a trusted key, and not a manifest that anybody could read a package by.
- POISONED, POISONED_SEEDS: signed by a trusted key, whole, and hostile inside.
- HARMLESS: it looks hostile, but what could do harm is never looked at.
"""

import base64
import functools
import io
import json
import os
import pickle
import shutil
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from lockgate.kernel.canonical import canonical, parse, sha256
from lockgate.kernel.folders import replace_file
from lockgate.packages.folder import ENVELOPE, ENVIRONMENT, MANIFEST
from lockgate.packages.runtime import CODE, CONTRACT, MODEL, REFERENCE
from lockgate.packages.signing import make_key
from lockgate.packages.zipped import deterministic
from lockgate.records.features import Code
from lockgate.records.package import Contract, Package, PackageFile
from tests.making.exported import FILES, Parcel, sign_over

__all__ = [
    "HARMLESS",
    "MODEL_FILES",
    "NO_PACKAGE",
    "POISONED",
    "POISONED_SEEDS",
    "SWAPPED",
    "SWAPPED_ENVIRONMENT",
    "UNSIGNED",
    "Payload",
    "Spoil",
]

Spoil = Callable[[Parcel, Path], None]
"""Spoils a parcel; the path is that of the canary."""

SEED, TABLE = "seeds/weather.msgpack", "tables/planes.msgpack"


class Payload:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


# --- what stands in a file's place -----------------------------------------------------------------------------------


def _numpy_pickle(canary: Path) -> bytes:
    """Give an array of pickled objects."""
    array = io.BytesIO()
    np.save(array, np.array([Payload(canary)], dtype=object), allow_pickle=True)
    return array.getvalue()


def _joblib(canary: Path) -> bytes:
    import joblib  # type: ignore[import-untyped] # noqa: PLC0415 - publishes no types

    target = io.BytesIO()
    joblib.dump({"model": Payload(canary), "weights": np.zeros(4)}, target)
    return target.getvalue()


def _skops(canary: Path) -> bytes:
    """Give a pipeline whose first step is a command, as skops stores it."""
    step = FunctionTransformer(functools.partial(os.system, f"touch {canary}"))
    return deterministic(skops.io.dumps(make_pipeline(step, LogisticRegression())))


def _archive(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return target.getvalue()


def _members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _schema(data: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    members = _members(data)
    schema = json.loads(members["schema.json"])
    change(schema)
    return _archive(members | {"schema.json": json.dumps(schema).encode()})


def _inner(data: bytes, canary: Path) -> bytes:
    return _archive({n: _numpy_pickle(canary) if n.endswith(".npy") else body for n, body in _members(data).items()})


def _slip(data: bytes, canary: Path) -> bytes:
    """Give a model whose archive has members that would land elsewhere if anybody unpacked it."""
    away = {f"{'../' * 12}{str(canary).lstrip('/')}": b"x", str(canary): b"x", "..\\..\\canary": b"x"}
    return _archive(_members(data) | away)


def _renamed(data: bytes, canary: Path) -> bytes:
    """Give a model whose schema asks for an array from outside of its archive."""

    def outside(node: Any) -> None:  # noqa: ANN401 - any JSON value
        for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            outside(value)
        if isinstance(node, dict) and isinstance(node.get("file"), str):
            node["file"] = f"../../{canary.name}.npy"

    return _schema(data, outside)


def _bomb() -> bytes:
    """Give an archive that would be a thousand times as large."""
    return _archive({"schema.json": b" " * (100 << 20)}, zipfile.ZIP_DEFLATED)


def _endless_array(data: bytes) -> bytes:
    """Give a model one of whose arrays says that it has a trillion numbers."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }".ljust(117) + b"\n"
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    return _archive({name: array if name.endswith(".npy") else body for name, body in _members(data).items()})


def _nested(depth: int = 200_000) -> bytes:
    return b"[" * depth + b"]" * depth


_YAML = b"!!python/object/apply:os.system ['touch %s']\n"


# --- spoiling --------------------------------------------------------------------------------------------------------


def _replaced(path: str, make: Callable[[bytes, Path], bytes]) -> Spoil:
    def spoil(parcel: Parcel, canary: Path) -> None:
        (parcel.folder / path).write_bytes(make((parcel.folder / path).read_bytes(), canary))

    return spoil


def _signed(spoil: Spoil, **manifest: Any) -> Spoil:  # noqa: ANN401 - fields of Package
    """Spoil, then sign what is there, as a publisher could."""

    def spoil_and_sign(parcel: Parcel, canary: Path) -> None:
        spoil(parcel, canary)
        package = parse((parcel.folder / MANIFEST).read_bytes(), Package)
        files = tuple(
            PackageFile(path=one.path, digest=sha256(data), bytes=len(data))
            for one in package.files
            for data in [(parcel.folder / one.path).read_bytes()]
        )
        sign_over(parcel, canonical(msgspec.structs.replace(package, files=files, **manifest)))

    return spoil_and_sign


def _formatted(name: str, data: Callable[[bytes, Path], bytes] | None, code: str = "") -> Spoil:
    """Say that the model is of another format, sign it, and put other parts there; `CANARY` is the canary's path."""

    def spoil(parcel: Parcel, canary: Path) -> None:
        package = parse((parcel.folder / MANIFEST).read_bytes(), Package)
        parts = {one.path: (parcel.folder / one.path).read_bytes() for one in package.files if one.path != MODEL}
        if data is not None:
            parts[MODEL] = data((parcel.folder / MODEL).read_bytes(), canary)
        if code:
            parts[CODE] = code.replace("CANARY", str(canary)).encode()
        for path, part in parts.items():
            replace_file(parcel.folder / path, part)
        files = tuple(
            PackageFile(path=path, digest=sha256(parts[path]), bytes=len(parts[path])) for path in sorted(parts)
        )
        sign_over(parcel, canonical(msgspec.structs.replace(package, files=files, format=name)))

    return spoil


def _function(source: str) -> Spoil:
    return _formatted("python/1", None, json.dumps({"name": "score", "source": source, "literals": {}}))


def _outside_onnx(_: bytes, canary: Path) -> bytes:
    """Give a graph whose tensor is to be read from a file of the server."""
    import onnx  # noqa: PLC0415 - a heavy library, only where it is asked for

    tensor = onnx.TensorProto(name="w", data_type=1, dims=[1, 6], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=f"../../../{canary.name}")
    given = onnx.helper.make_tensor_value_info("x", 1, [None, 6])
    answer = onnx.helper.make_tensor_value_info("y", 1, [None, 1])
    node = onnx.helper.make_node("Mul", ["x", "w"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [given], [answer], initializer=[tensor])
    data: bytes = onnx.helper.make_model(graph).SerializeToString()
    return data


def _foreign_onnx(_: bytes, __: Path) -> bytes:
    """Give a graph with an operator that a library beside the server would bring."""
    import onnx  # noqa: PLC0415 - a heavy library, only where it is asked for

    given = onnx.helper.make_tensor_value_info("x", 1, [None, 6])
    answer = onnx.helper.make_tensor_value_info("y", 1, [None, 1])
    node = onnx.helper.make_node("Run", ["x"], ["y"], domain="my.operators")
    data: bytes = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [given], [answer])).SerializeToString()
    return data


def _contract(change: Callable[[Contract, Path], Contract]) -> Spoil:
    def changed(data: bytes, canary: Path) -> bytes:
        return canonical(change(parse(data, Contract), canary))

    return _signed(_replaced(CONTRACT, changed))


def _feature(source: str, **literals: str) -> Spoil:
    """Put code into a feature's place; `CANARY` in it is the canary's path."""

    def change(contract: Contract, canary: Path) -> Contract:
        text = source.replace("CANARY", str(canary))
        code = Code(
            name="local_hour", source=text, literals={n: t.replace("CANARY", str(canary)) for n, t in literals.items()}
        )
        (feature,) = contract.features.features
        features = msgspec.structs.replace(contract.features, features=(msgspec.structs.replace(feature, code=code),))
        return msgspec.structs.replace(contract, features=features)

    return _contract(change)


def _field_name(contract: Contract, canary: Path) -> Contract:
    """Name a field so that it would be a statement, were it ever text of a program."""
    name = f"x, = row; __import__('os').system('touch {canary}')  #"
    fields = (*contract.request.fields, msgspec.structs.replace(contract.request.fields[-1], name=name))
    return msgspec.structs.replace(contract, request=msgspec.structs.replace(contract.request, fields=fields))


def _zone(contract: Contract, _: Path) -> Contract:
    features = msgspec.structs.replace(contract.features, timezone="../../../../../../etc/passwd")
    return msgspec.structs.replace(contract, features=features)


def _listed(path: str) -> Spoil:
    """List a file by a path that leads elsewhere, and put one there."""

    def spoil(parcel: Parcel, _: Path) -> None:
        package = parse((parcel.folder / MANIFEST).read_bytes(), Package)
        (parcel.folder.parent / "outside").write_bytes(b"outside")
        extra = PackageFile(path=path, digest=sha256(b"outside"), bytes=7)
        sign_over(parcel, canonical(msgspec.structs.replace(package, files=(*package.files, extra))))

    return spoil


def _manifest(make: Callable[[bytes, Path], bytes]) -> Spoil:
    def spoil(parcel: Parcel, canary: Path) -> None:
        sign_over(parcel, make((parcel.folder / MANIFEST).read_bytes(), canary))

    return spoil


def _sized(size: int) -> Callable[[bytes, Path], bytes]:
    """Say of the model that it has another size; its digest stays right."""

    def make(data: bytes, _: Path) -> bytes:
        package = json.loads(data)
        for file in package["files"]:
            file["bytes"] = size if file["path"] == MODEL else file["bytes"]
        return canonical(package)

    return make


def _deep_parameters(data: bytes, _: Path) -> bytes:
    return data.replace(b'"parameters":{"seed":1}', b'"parameters":{"seed":' + _nested() + b"}")


def _linked(path: str) -> Spoil:
    """Put a link to the very bytes into the place of a file, or of a folder."""

    def spoil(parcel: Parcel, _: Path) -> None:
        away = parcel.folder.parent / "away"
        shutil.move(parcel.folder / path, away)
        (parcel.folder / path).symlink_to(away, target_is_directory=away.is_dir())

    return spoil


def _instead(path: str, make: Callable[[Path], Any]) -> Spoil:
    def spoil(parcel: Parcel, _: Path) -> None:
        (parcel.folder / path).unlink()
        make(parcel.folder / path)

    return spoil


def _listen(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening, _Shorter(path) as name:
        listening.bind(name)


class _Shorter:
    """Name a path through a descriptor of its folder: names of sockets are short."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> str:
        self._folder = os.open(self._path.parent, os.O_RDONLY)
        return f"/proc/self/fd/{self._folder}/{self._path.name}"

    def __exit__(self, *_: object) -> None:
        os.close(self._folder)


def _envelope(change: Callable[[dict[str, Any]], Any]) -> Spoil:
    def changed(data: bytes, _: Path) -> bytes:
        envelope = json.loads(data)
        return json.dumps(change(envelope) or envelope).encode()

    return _replaced(ENVELOPE, changed)


def _by_a_stranger(*, as_ours: bool) -> Spoil:
    """Sign with another key; it may say that it is ours."""

    def spoil(parcel: Parcel, _: Path) -> None:
        ours = json.loads((parcel.folder / ENVELOPE).read_bytes())["signatures"][0]["keyid"]
        strange = type(parcel.state)(parcel.folder.parent / "stranger")
        make_key(strange.signing_key, strange.trust)
        sign_over(Parcel(parcel.folder, strange, parcel.key, parcel.package), (parcel.folder / MANIFEST).read_bytes())
        if as_ours:
            _envelope(lambda envelope: envelope["signatures"][0].update(keyid=ours))(parcel, parcel.folder)

    return spoil


def _promoted(envelope: dict[str, Any]) -> None:
    """Say something else than what was signed."""
    statement = json.loads(base64.b64decode(envelope["payload"]))
    statement["predicate"]["by"] = "somebody else"
    envelope["payload"] = base64.b64encode(canonical(statement)).decode()


# --- the corpus ------------------------------------------------------------------------------------------------------

_PICKLES: dict[str, Callable[[bytes, Path], bytes]] = {
    "a pickle": lambda _, canary: pickle.dumps(Payload(canary)),
    "a pickle of text": lambda _, canary: pickle.dumps(Payload(canary), protocol=0),
    "a joblib file": lambda _, canary: _joblib(canary),
    "an array of pickled objects": lambda _, canary: _numpy_pickle(canary),
    "YAML with a tag that calls": lambda _, canary: _YAML % bytes(canary),
}
_MODELS: dict[str, Callable[[bytes, Path], bytes]] = {
    **_PICKLES,
    "an archive with a pickle in it": lambda _, canary: _archive({"data.pkl": pickle.dumps(Payload(canary))}),
    "a skops file with foreign types": lambda _, canary: _skops(canary),
    "a skops file whose schema names a function of the system": lambda data, _: _schema(
        data, lambda schema: schema.update(__module__="subprocess", __class__="Popen", __loader__="ObjectNode")
    ),
    "a skops file whose loader is made up": lambda data, _: _schema(
        data, lambda schema: schema.update(__loader__="os.system")
    ),
    "a skops file with an array of pickled objects": _inner,
    "a skops file whose schema points outside": _renamed,
    "a zip bomb": lambda *_: _bomb(),
    "a skops file with an array without end": lambda data, _: _endless_array(data),
    "a skops file whose schema is nested without end": lambda data, _: _archive(
        _members(data) | {"schema.json": _nested()}
    ),
    "nothing": lambda *_: b"",
}
_ROWS: dict[str, Callable[[bytes, Path], bytes]] = {
    **_PICKLES,
    "arrays nested without end": lambda *_: b"\x91" * 200_000 + b"\x90",
    "an array that says it has four billion rows": lambda *_: b"\xdd\xff\xff\xff\xff\x92\xa1k\x90",
    "a key that can't be one": lambda *_: msgspec.msgpack.encode([({}, ())]),
    "a type of its own": lambda *_: b"\x91\x92\xc7\x01\x01\x00\x90",
}

_CODES = {
    "a pickle of text": "cos\nsystem\n(S'touch CANARY'\ntR.",
    "YAML with a tag that calls": "!!python/object/apply:os.system ['touch CANARY']\n",
    "JSON nested without end": "[" * 200_000,
    "a field of its own": '{"name":"score","source":"","literals":{},"run":"CANARY"}',
}

UNSIGNED: dict[str, Spoil] = {
    "no signature": _envelope(lambda envelope: envelope.update(signatures=[])),
    "no envelope": lambda parcel, _: (parcel.folder / ENVELOPE).unlink(),
    "an empty envelope": _replaced(ENVELOPE, lambda *_: b""),
    "an envelope that is a pickle": _replaced(ENVELOPE, _PICKLES["a pickle"]),
    "an envelope that is YAML": _replaced(ENVELOPE, _PICKLES["YAML with a tag that calls"]),
    "an envelope of two megabytes": _envelope(lambda envelope: envelope.update(payload="A" * (1 << 21))),
    "an envelope nested without end": _replaced(ENVELOPE, lambda *_: b'{"payload":' + _nested()),
    "an envelope with a field of its own": _envelope(lambda envelope: envelope.update(more="x")),
    "another statement under the signature": _envelope(_promoted),
    "another type of payload": _envelope(lambda envelope: envelope.update(payloadType="application/json")),
    "a signature that is none": _envelope(lambda envelope: envelope["signatures"][0].update(sig="AAAA")),
    "a signature that is no base64": _envelope(lambda envelope: envelope["signatures"][0].update(sig="!")),
    "the signature of a stranger": _by_a_stranger(as_ours=False),
    "the signature of a stranger, said to be ours": _by_a_stranger(as_ours=True),
    "a link in the place of the envelope": _linked(ENVELOPE),
    "a pipe in the place of the envelope": _instead(ENVELOPE, os.mkfifo),
    "a folder in the place of the envelope": _instead(ENVELOPE, Path.mkdir),
}

SWAPPED: dict[str, Spoil] = {
    "a manifest of two megabytes": _replaced(MANIFEST, lambda data, _: data.ljust(1 << 21)),
    "a manifest nested without end": _replaced(MANIFEST, _deep_parameters),
    **{f"{what} as the model, not signed": _replaced(MODEL, make) for what, make in _MODELS.items()},
    **{f"{what} as {path}, not signed": _replaced(path, _PICKLES[what]) for what in _PICKLES for path in FILES},
    **{f"a link in the place of {path}": _linked(path) for path in (MANIFEST, *FILES, "seeds", "tables")},
    **{f"a pipe in the place of {path}": _instead(path, os.mkfifo) for path in (MANIFEST, *FILES)},
    "a folder in the model's place": _instead(MODEL, Path.mkdir),
    "a socket in the model's place": _instead(MODEL, _listen),
    "an endless device behind the model's name": _instead(MODEL, lambda path: path.symlink_to("/dev/zero")),
}

SWAPPED_ENVIRONMENT: dict[str, Spoil] = {
    "an environment of another package": _replaced(ENVIRONMENT, lambda data, _: data.replace(b"3.11", b"3.12")),
    "a link in the place of the environment": _linked(ENVIRONMENT),
    "a pipe in the place of the environment": _instead(ENVIRONMENT, os.mkfifo),
    **{f"{what} as the environment": _replaced(ENVIRONMENT, make) for what, make in _PICKLES.items()},
}

POISONED: dict[str, Spoil] = {
    **{f"{what} as the model": _signed(_replaced(MODEL, make)) for what, make in _MODELS.items()},
    **{f"{what} as a table": _signed(_replaced(TABLE, make)) for what, make in _ROWS.items()},
    **{
        f"{what} as {path}": _signed(_replaced(path, make))
        for what, make in _PICKLES.items()
        for path in (CONTRACT, REFERENCE)
    },
    "a contract nested without end": _signed(
        _replaced(CONTRACT, lambda *_: b'{"type":"contract/1","request":' + _nested())
    ),
    "a contract whose zone is a path": _contract(_zone),
    "a feature that imports": _feature(
        "def local_hour(scheduled_departure):\n    import os\n    os.system('touch CANARY')\n    return 1"
    ),
    "a feature that imports by name": _feature(
        "def local_hour(scheduled_departure):\n    return __import__('os').system('touch CANARY')"
    ),
    "a feature that climbs to what it was not given": _feature(
        "def local_hour(scheduled_departure):\n"
        "    return ().__class__.__base__.__subclasses__()[0].__init__.__globals__['os'].system('touch CANARY')"
    ),
    "a feature that climbs in a format": _feature(
        "def local_hour(scheduled_departure):\n    return '{0.__class__.__base__}'.format(scheduled_departure)"
    ),
    "a feature with a default that calls": _feature(
        "def local_hour(scheduled_departure=__import__('os').system('touch CANARY')):\n    return 1"
    ),
    "a feature with a decorator": _feature(
        "@__import__('os').system\ndef local_hour(scheduled_departure):\n    return 'touch CANARY'"
    ),
    "a feature with a statement before it": _feature(
        "open('CANARY', 'w')\ndef local_hour(scheduled_departure):\n    return 1"
    ),
    "a feature whose literal calls": _feature(
        "def local_hour(scheduled_departure):\n    return LIMIT", LIMIT="open('CANARY', 'w')"
    ),
    **{
        f"{what} as a model of {form}": _formatted(form, make)
        for what, make in _PICKLES.items()
        for form in ("lightgbm-text/1", "xgboost-ubj/1", "onnx/1")
    },
    **{f"{what} as the code of a function": _formatted("python/1", None, code) for what, code in _CODES.items()},
    "a function that imports": _function("def score(a):\n    import os\n    return os.system('touch CANARY')"),
    "a function that climbs": _function("def score(a):\n    return a.__class__.__base__.__subclasses__()"),
    "a function with a statement before it": _function("open('CANARY', 'w')\ndef score(a):\n    return 1.0"),
    "a function with a default that calls": _function("def score(a=open('CANARY', 'w')):\n    return 1.0"),
    "a graph that reads a file of the server": _formatted("onnx/1", _outside_onnx),
    "a graph with an operator from elsewhere": _formatted("onnx/1", _foreign_onnx),
    "UBJSON that says it is without end": _formatted(
        "xgboost-ubj/1", lambda *_: b"{L" + (1 << 60).to_bytes(8, "big") + b"learner"
    ),
    "a text of trees that has none": _formatted("lightgbm-text/1", lambda *_: b"tree\nversion=v4\nend of trees\n"),
    "a format that nobody knows": _signed(lambda *_: None, format="pickle/5"),
    "a format that is a path": _signed(lambda *_: None, format="../../../../tmp/format"),
}

POISONED_SEEDS: dict[str, Spoil] = {f"{what} as a seed": _signed(_replaced(SEED, make)) for what, make in _ROWS.items()}

NO_PACKAGE: dict[str, Spoil] = {
    "a model that says it has more bytes than there are": _manifest(_sized(1 << 52)),
    "a model that says it has fewer bytes than there are": _manifest(_sized(10)),
    "a model that says it has less than no bytes": _manifest(_sized(-1)),
    "a manifest that is a pickle": _manifest(_PICKLES["a pickle"]),
    "a manifest that is YAML": _manifest(_PICKLES["YAML with a tag that calls"]),
    "a manifest with parameters nested without end": _manifest(_deep_parameters),
    "a manifest of two megabytes, signed": _manifest(
        lambda data, _: data.replace(b'"seed":1', b'"seed":"' + b"x" * (1 << 21) + b'"')
    ),
    **{
        f"a manifest that lists {path!r}": _listed(path)
        for path in (
            "../outside",
            "tables/../../outside",
            "./outside",
            "/etc/passwd",
            "tables//planes",
            "..",
            ".hidden",
            "a\\b",
            "a\x00b",
            MANIFEST,
            ENVELOPE,
            ENVIRONMENT,
        )
    },
}

HARMLESS: dict[str, Spoil] = {
    "a pickle behind the model": _signed(_replaced(MODEL, lambda data, canary: data + pickle.dumps(Payload(canary)))),
    "members of an archive that would land elsewhere": _signed(_replaced(MODEL, _slip)),
    "a field whose name is a statement": _contract(_field_name),
    "a pickle beside the package": lambda parcel, canary: replace_file(
        parcel.folder / "model.pkl", pickle.dumps(Payload(canary))
    ),
    "a program beside the package": lambda parcel, canary: replace_file(
        parcel.folder / "sitecustomize.py", f"open({str(canary)!r}, 'w')".encode()
    ),
}

MODEL_FILES: dict[str, Callable[[bytes, Path], bytes]] = dict(_MODELS)
"""What may be brought as a model's file, from the bytes of a sound one; each is refused."""
