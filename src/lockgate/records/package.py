"""A package: all that an endpoint needs of a model. Content only; what was measured about it is evidence, beside it."""

from typing import Annotated, Any

import msgspec

from lockgate.kernel.canonical import Digest, Instant, Record
from lockgate.records.check import Rule
from lockgate.records.features import FeatureSet, OutcomeSpec, RequestSpec
from lockgate.records.source import SourceSpec
from lockgate.records.training import Machine

__all__ = ["Contract", "Evidence", "Package", "PackageFile", "Reference"]


class Contract(Record, tag="contract/1", frozen=True, kw_only=True):
    """What a package answers, and how; its file `contract.json`."""

    # The request.
    request: RequestSpec
    # From request to matrix.
    features: FeatureSet
    # The clocked sources of its look-ups and windows, so that their rows can be posted.
    sources: tuple[SourceSpec, ...]
    # The vocabulary of each category column, in code order.
    vocabulary: dict[str, tuple[str, ...]]
    # What is foreseen.
    outcome: OutcomeSpec
    # What is expected of each row of a request: rules that one row keeps or breaks by itself.
    guards: tuple[Rule, ...] = ()
    # `binary` or `regression`.
    task: str
    # From this score on the answer is true; for `binary`.
    threshold: float


class Reference(Record, tag="reference/1", frozen=True, kw_only=True):
    """Questions with the answers that the fitted object gave before it was packed; its file `reference.json`."""

    # Rows of model columns; None stands for NaN.
    x: tuple[tuple[float | None, ...], ...]
    # The score of each row.
    scores: tuple[float, ...]
    # The largest difference that still counts as the same answer.
    tolerance: float


class PackageFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a package."""

    # Its path inside the package: forward slashes, no `..`.
    path: str
    # The digest of its bytes.
    digest: Digest
    # Its size.
    bytes: Annotated[int, msgspec.Meta(ge=0)]


class Package(Record, tag="package/1", frozen=True, kw_only=True):
    """The manifest; its digest is the package's id. The same inputs give the same id."""

    # The project's name.
    project: str
    # How the model is stored: a name in the table of `packages/formats/table.py`.
    format: str
    # Who answers: `library`, or a runtime that was found to answer the same, a name in `packages/formats/trees.py`.
    runtime: str = "library"
    # Every file, sorted by path.
    files: tuple[PackageFile, ...]
    # The digest of the training set; of one with test rows only, where nothing was fitted here.
    training_set: Digest
    # The digest of the project's code; of the files that were brought, where nothing was fitted here.
    code: Digest
    # The digest of the environment it was built in, and must be run in.
    environment: Digest
    # The parameters of the fit.
    parameters: dict[str, Any]
    # What was brought, where nothing was fitted here.
    imported: Digest | None = None

    def file(self, path: str) -> PackageFile | None:
        """Give a file by path."""
        return next((file for file in self.files if file.path == path), None)


class Evidence(Record, tag="evidence/1", frozen=True, kw_only=True):
    """Something that was measured about a package."""

    # The package.
    package: Digest
    # What was measured: `metrics`, `reference`, `runtime`.
    kind: str
    # On which data: the digest of a training set or a snapshot.
    on: Digest
    # When, by the control clock.
    at: Instant
    # On which machine.
    machine: Machine
    # What came out.
    values: dict[str, Any]
