"""A waiver: a person's signed word that one verdict does not hold a package back, for a while."""

from lockgate.kernel.canonical import Digest, Instant, Record

__all__ = ["Waiver"]


class Waiver(Record, tag="waiver/1", frozen=True, kw_only=True):
    """The word. Like a release it is worth nothing without its envelope; the verdict itself stays as it was."""

    # The endpoint that the package may be released to.
    endpoint: str
    # The package.
    package: Digest
    # The gate whose verdict about it is waived, by name.
    gate: str
    # Why.
    reason: str
    # From this moment on the gate is shut again; control clock.
    until: Instant
    # Who waived it.
    by: str
    # When, by the control clock.
    at: Instant
