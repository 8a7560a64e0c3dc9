"""A training run: what was fitted, on what, with what, where."""

import enum
from typing import Any

import msgspec

from lockgate.kernel.canonical import Digest, Instant, Record
from lockgate.kernel.numbers import Number, with_floats

__all__ = [
    "Artifact",
    "Curve",
    "Curves",
    "Environment",
    "Imported",
    "Machine",
    "MetricSummary",
    "ModelSpec",
    "RunState",
    "TrainingRun",
]


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
    # Which of the parameters are floats that canonical JSON writes as integers, as JSON pointers.
    whole_floats: tuple[str, ...] = ()

    def given(self) -> dict[str, Any]:
        """Give the parameters as they were declared: a float is a float again."""
        found: dict[str, Any] = with_floats(self.parameters, self.whole_floats)
        return found


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


class RunState(enum.Enum):
    """How a run ended."""

    FINISHED = "finished"  # the function gave a model, and it was packed
    FAILED = "failed"  # the function raised, or what it gave was refused
    KILLED = "killed"  # its process, or the whole walk, was gone before it ended


class MetricSummary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a run logged under one name, in short; all of it is in its curve."""

    # How many points there are.
    points: int
    # The number that was logged last, and the step it is of.
    last: Number
    step: int
    # The least and the greatest of the numbers that are finite; None where none is.
    least: float | None
    greatest: float | None


class Artifact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file that a run kept: a blob."""

    # The digest of its bytes.
    digest: Digest
    # Its length in bytes.
    size: int


class Curve(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The points of one metric, in the order in which they were logged: lists of the same length."""

    # The step of each.
    steps: tuple[int, ...]
    # The number of each; `NaN`, `Infinity` and `-Infinity` are written as texts.
    values: tuple[Number, ...]
    # For each, the seconds since the run began.
    seconds: tuple[float, ...]


class Curves(Record, tag="curves/1", frozen=True, kw_only=True):
    """The points of every metric of a run; kept as a blob, not as a record."""

    # By the name of the metric.
    metrics: dict[str, Curve]


class TrainingRun(Record, tag="training-run/1", frozen=True, kw_only=True):
    """What happened when a model was fitted, however that ended; or when one was brought that was fitted elsewhere."""

    # The project's name.
    project: str
    # The digest of the model as declared.
    model: Digest
    # The digest of the training set, which names the snapshots.
    training_set: Digest
    # The digest of the project's code; of the files that were brought, where nothing was fitted here.
    code: Digest
    # The commit, and whether files differed from it; empty where a model was brought.
    commit: str = ""
    dirty: bool = False
    # The digest of the environment.
    environment: Digest
    # The parameters that were used.
    parameters: dict[str, Any]
    # Which of them are floats that canonical JSON writes as integers, as JSON pointers.
    whole_floats: tuple[str, ...] = ()
    # How it ended.
    state: RunState = RunState.FINISHED
    # Why it did not finish, in words; empty where it did.
    error: str = ""
    # The class of what was fitted, and the version of its library; empty where nothing was.
    fitted: str
    # What it logged, in short, by the name of the metric.
    metrics: dict[str, MetricSummary] = {}
    # The digest of a blob with every point: a `curves/1`; None where nothing was logged.
    curves: Digest | None = None
    # The files that it kept, by name.
    artifacts: dict[str, Artifact] = {}
    # The tags that it set.
    tags: dict[str, str] = {}
    # What it printed: the digest of a text blob.
    output: Digest
    # The machine.
    machine: Machine
    # The walk that it was part of; empty for none.
    line: str = ""
    # Who opened that walk; empty where nobody knows.
    by: str = ""
    # When it began, by the control clock.
    began_at: Instant | None = None
    # Wall-clock seconds in the fitting function; of a run that did not finish, until it was known to have ended.
    seconds: float
    # Seconds of processor time; None where nobody knows.
    cpu_seconds: float | None = None
    # The child's peak resident memory in bytes; 0 where nobody knows.
    peak_memory: int
    # What was brought, where nothing was fitted here: then times are those of reading it.
    imported: Digest | None = None

    def given(self) -> dict[str, Any]:
        """Give the parameters as the fitting function got them: a float is a float again."""
        found: dict[str, Any] = with_floats(self.parameters, self.whole_floats)
        return found
