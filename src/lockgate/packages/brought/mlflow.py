"""An MLflow model folder: which of its files is the model, and what it says of itself. Nothing of MLflow is needed.

- Of the folder `MLmodel` is read, as plain YAML, and the one file that its flavour names.
- A flavour of a library counts before `python_function`, which is a way to run code.
"""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from lockgate.kernel.errors import Invalid, NotFound
from lockgate.packages.brought.files import PICKLE_WAY_OUT
from lockgate.packages.brought.plainyaml import read_plain_yaml

__all__ = ["FILE_OF", "MLMODEL", "MlflowModel", "model_file", "read_mlmodel"]

T = TypeVar("T")

MLMODEL = "MLmodel"

FILE_OF = {"lightgbm": "data", "xgboost": "data", "onnx": "data", "sklearn": "pickled_model"}
"""For each flavour that is taken the entry that names its file."""

_SAID = ("mlflow_version", "run_id", "model_id", "model_uuid", "utc_time_created")
_PATH = re.compile(r"[\w.-]+(/[\w.-]+)*", re.ASCII)


class MlflowModel(msgspec.Struct, frozen=True, kw_only=True):
    """What an `MLmodel` file says."""

    # The flavour that is taken.
    flavour: str
    # The file of the model, inside the folder.
    path: str
    # The columns that it was declared for, in order; empty where it says none.
    columns: tuple[str, ...]
    # What it says of itself; nobody verified that.
    said: dict[str, str]


def read_mlmodel(data: bytes) -> MlflowModel:
    """Read an `MLmodel` file.

    Raises:
        TooLarge, Malformed: as `read_plain_yaml`.
        Invalid: it has no flavour that is taken, or names a file outside of its folder.
    """
    found = read_plain_yaml(data, MLMODEL)
    flavours = found.get("flavors") if isinstance(found, dict) else None
    if not isinstance(flavours, dict):
        raise Invalid("This MLmodel names no flavours", expected="flavors: ...", found="none")
    for flavour, entry in FILE_OF.items():
        if isinstance(flavours.get(flavour), dict):
            path = _path(flavour, flavours[flavour], entry)
            said = {name: found[name] for name in _SAID if isinstance(found.get(name), str)}
            said |= {name: value for name, value in flavours[flavour].items() if name.endswith("_version") and value}
            return MlflowModel(flavour=flavour, path=path, columns=_columns(found.get("signature")), said=said)
    raise Invalid(
        "This MLflow model has no flavour that can be taken",
        expected=", ".join(FILE_OF),
        found=", ".join(sorted(flavours)),
        way_out=f"python_function runs code when it is loaded. Save the model in its own flavour. {PICKLE_WAY_OUT}",
    )


def _path(flavour: str, settings: Mapping[str, Any], entry: str) -> str:
    path = settings.get(entry)
    if not isinstance(path, str) or _PATH.fullmatch(path) is None or ".." in path.split("/"):
        raise Invalid(
            f"The flavour {flavour} names no file of its folder",
            expected=f"{entry}: a path inside",
            found=repr(path)[:80],
        )
    if flavour == "sklearn" and settings.get("serialization_format") != "skops":
        raise Invalid(
            f"{path} is a pickle, and loading one runs whatever is in it; nothing of it was read",
            expected="serialization_format: skops",
            found=f"serialization_format: {settings.get('serialization_format')}",
            way_out=f"mlflow.sklearn.save_model(model, path, serialization_format='skops'). {PICKLE_WAY_OUT}",
        )
    return path


class _Column(msgspec.Struct):
    type: str
    name: str = ""


def _columns(signature: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever the file says
    """Give the names of the columns of a signature, where all have one."""
    text = signature.get("inputs") if isinstance(signature, dict) else None
    try:
        columns = msgspec.json.decode(text, type=list[_Column]) if isinstance(text, str) else []
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Invalid(
            "The signature in this MLmodel can't be read", expected="a JSON list", found=str(error)
        ) from error
    return tuple(one.name for one in columns) if all(one.name for one in columns) else ()


def model_file(files: Mapping[str, T], path: str) -> T:
    """Give the file of the folder that is the model.

    Raises:
        NotFound: it is not there.
    """
    if path not in files:
        raise NotFound(f"The folder has no {path}, which its MLmodel names", found=", ".join(sorted(files)[:10]))
    return files[path]
