"""Says what a file holds by how it begins; its name only decides where that says nothing. Nothing is parsed.

What runs code when it is loaded is refused here, by name and by content, with the way out.
"""

import zipfile
from io import BytesIO
from pathlib import PurePath

from lockgate.kernel.errors import Invalid

__all__ = ["PICKLE_WAY_OUT", "kind_of_bytes", "refuse_pickle"]

_PICKLES = frozenset([".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".npy", ".npz", ".cloudpickle", ".dill"])
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x04\x22M\x18", b"x\x9c", b"x\x01", b"x\xda")
_KINDS = "skops, LightGBM's text, XGBoost's UBJSON or JSON, ONNX, safetensors with --build, or an MLflow folder"

PICKLE_WAY_OUT = (
    "Convert it once, where you trust it: import joblib, skops.io; "
    "skops.io.dump(joblib.load('model.joblib'), 'model.skops'). "
    "LightGBM: model.booster_.save_model('model.txt'). XGBoost: model.save_model('model.ubj'). "
    "There is no waiver that lets a pickle in."
)
"""What somebody can do who has nothing but a pickle."""


def kind_of_bytes(name: str, data: bytes) -> str:
    """Give what a file is: `skops`, `lightgbm`, `xgboost`, `onnx` or `safetensors`.

    Raises:
        Invalid: it is a pickle, or none of these.
    """
    refuse_pickle(name, data)
    if data.startswith(b"PK"):
        return _kind_of_archive(name, data)
    if data.startswith(b"tree\n"):
        return "lightgbm"
    if data[:1] == b"{":
        return "xgboost"
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") < len(data):
        return "safetensors"
    if PurePath(name).suffix.lower() == ".onnx":
        return "onnx"
    raise Invalid(f"{name} is no model that can be taken", expected=_KINDS, found=f"a file that begins {data[:16]!r}")


def _kind_of_archive(name: str, data: bytes) -> str:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise Invalid(f"{name} is no model that can be taken", expected=_KINDS, found=f"a zip: {error}") from error
    if "schema.json" in members:
        return "skops"
    for one in members:
        refuse_pickle(one, b"", of=name)
    found = f"a zip of {', '.join(sorted(members)[:5])}"
    raise Invalid(f"{name} is no model that can be taken", expected=_KINDS, found=found)


def refuse_pickle(name: str, head: bytes, *, of: str = "") -> None:
    """Refuse what runs code when it is loaded, by its name and by how it begins.

    Args:
        name: of the file.
        head: its first bytes.
        of: the archive that it is in.

    Raises:
        Invalid: it is a pickle, or what is known to hold one.
    """
    named = PurePath(name).suffix.lower() in _PICKLES
    if not named and head[:1] != b"\x80" and not head.startswith((b"\x93NUMPY", *_PACKED)):
        return
    raise Invalid(
        f"{of or name} is a pickle, and loading one runs whatever is in it; nothing of it was read",
        expected=_KINDS,
        found=name,
        way_out=PICKLE_WAY_OUT,
    )
