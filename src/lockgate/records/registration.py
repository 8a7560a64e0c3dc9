"""The register of features: what a package uses, under which definitions."""

import msgspec

from lockgate.kernel.canonical import Digest, Record

__all__ = ["RegisteredFeature", "Registration"]


class RegisteredFeature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A feature as a package uses it."""

    # The name it is registered under: `project/name`, or its own where projects share it.
    name: str
    # Its version.
    version: int
    # The digest of its definition.
    definition: Digest
    # Who answers for it.
    owner: str = ""
    # What it is, in a line.
    description: str = ""
    # Where its values come from in the end: `source.column`.
    columns: tuple[str, ...] = ()


class Registration(Record, tag="registration/1", frozen=True, kw_only=True):
    """The features of a package. A version means one definition, in every package of the installation."""

    # The project.
    project: str
    # The package.
    package: Digest
    # Its features, each after those it reads.
    features: tuple[RegisteredFeature, ...]
