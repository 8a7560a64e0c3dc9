"""A training run: what was fitted, on what, with what, where."""

from typing import Any

import msgspec

from lockgate.kernel.canonical import Digest, Record

__all__ = ["Environment", "Imported", "Machine", "ModelSpec", "TrainingRun"]


class ModelSpec(Record, tag="model/1", frozen=True, kw_only=True):
    """A declared model."""

    # The name of the fitting function.
    name: str
    # The function, as `module:qualname` inside the project folder.
    function: str
    # Its parameters.
    parameters: dict[str, Any]
    # `binary` for an outcome that is true or false, `regression` for a number.
    task: str
    # From this score on the answer is true; for `binary`.
    threshold: float
    # The span at the end of the data that is kept for the test, in seconds.
    test_seconds: float
    # Who is to answer: `library`, `gtil`, or `auto` for the fastest that answers as the library does.
    runtime: str = "auto"


class Environment(Record, tag="environment/1", frozen=True, kw_only=True):
    """The software that ran."""

    # The Python version.
    python: str
    # Every installed distribution and its version.
    packages: dict[str, str]


class Machine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The hardware that ran."""

    # The processor's name.
    processor: str
    # Logical cores.
    cores: int
    # Memory in bytes.
    memory: int
    # Operating system and architecture.
    platform: str


class Imported(Record, tag="imported/1", frozen=True, kw_only=True):
    """A model that was fitted elsewhere, as it was brought. Who brought it, and when, the ledger says beside it."""

    # What it was brought as: `skops`, `lightgbm`, `xgboost`, `onnx`, `safetensors`, `function`; `mlflow/lightgbm`, and
    # so on, out of an MLflow folder.
    kind: str
    # The name of the file or folder, or `script.py:function`.
    name: str
    # Every file of it, by path; what builds the module of weights under `build/`.
    files: dict[str, Digest]
    # The file with the example rows.
    example: Digest
    # What it says of itself: versions, ids, times. Nobody verified that.
    said: dict[str, str] = {}
    # How it was asked for: which columns of the example rows are what, and what must hold.
    asked: dict[str, Any] = {}


class TrainingRun(Record, tag="training-run/1", frozen=True, kw_only=True):
    """What happened when a model was fitted; or when it was brought, where it was fitted elsewhere."""

    # The project's name.
    project: str
    # The digest of the model as declared.
    model: Digest
    # The digest of the training set.
    training_set: Digest
    # The digest of the project's code; of the files that were brought, where nothing was fitted here.
    code: Digest
    # The digest of the environment.
    environment: Digest
    # The parameters that were used.
    parameters: dict[str, Any]
    # The class of what was fitted, and the version of its library.
    fitted: str
    # Numbers that the fitting function logged.
    logged: dict[str, float]
    # What it printed: the digest of a text blob.
    output: Digest
    # The machine.
    machine: Machine
    # Wall-clock seconds in the fitting function.
    seconds: float
    # The child's peak resident memory in bytes.
    peak_memory: int
    # What was brought, where nothing was fitted here: then times are those of reading it.
    imported: Digest | None = None
