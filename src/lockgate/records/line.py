"""The walk itself: what was shipped, and each step's result."""

from typing import Any

from lockgate.kernel.canonical import Digest, Instant, Record

__all__ = ["Line", "LineEnd", "Step", "Sweep", "Swept", "Tree"]


class Tree(Record, tag="tree/1", frozen=True, kw_only=True):
    """A project folder's files, documentation aside; or the files that were brought."""

    # Path inside the folder to the digest of the file's bytes.
    files: dict[str, Digest]


class Line(Record, tag="line/1", frozen=True, kw_only=True):
    """One walk of the line; opened by `ship`, gone on with after a crash."""

    # Its id.
    id: str
    # The project's name; empty until its file has been read.
    project: str
    # The project folder, as given; or what was brought, where a model was.
    folder: str
    # The commit, and whether files differed from it; empty where a model was brought.
    commit: str
    dirty: bool
    # The digest of the project's code, or of the files that were brought.
    code: Digest
    # The digest of the environment.
    environment: Digest
    # What was asked for beside: `as_of`, `rollout`, `until`, `anew`, `lineage`, `import`, `rebuild`; `again`, the walk
    # whose readings are used.
    parameters: dict[str, Any]
    # Whether it stops with the command that opened it; else the control plane goes on with it by itself.
    attended: bool
    # The installation that opened it, which alone has its folder; empty where none was named.
    installation: str = ""
    # Who opened it, and when by the control clock.
    by: str
    at: Instant


class Step(Record, tag="step/1", frozen=True, kw_only=True):
    """A finished step: under this key, this is the result; it is never computed again."""

    # The digest of all that decides the result; of the swept step's key, where it was done before and that was swept.
    key: Digest
    # The station's name.
    station: str
    # Digests, and other text that decides the result, by role.
    consumed: dict[str, str]
    # Digests of what it produced, by role.
    produced: dict[str, Digest]
    # The walk in which it was done.
    line: str
    # When it began, and how long it took; control clock.
    began_at: Instant
    seconds: float


class LineEnd(Record, tag="line-end/1", frozen=True, kw_only=True):
    """How a walk ended."""

    # The walk's id.
    line: str
    # `released`, `taken` (snapshots only), `rebuilt` (nothing is released), `stopped` (refused: a gate, a check,
    # a mistake), `failed`.
    result: str
    # In words.
    reason: str
    # The release, where there is one.
    release: Digest | None = None
    # When, by the control clock.
    at: Instant


class Swept(Record, tag="swept/1", frozen=True, kw_only=True):
    """A finished step whose result is deleted, or about to be: no walk finds it any more, each does it again."""

    # The step's key.
    step: Digest
    # The step's station.
    station: str
    # Who freed the space.
    by: str
    # When, by the control clock.
    at: Instant


class Sweep(Record, tag="sweep/1", frozen=True, kw_only=True):
    """Space was freed: what no rule kept was deleted. Records are never deleted; this is about blobs."""

    # How long back everything was kept, in seconds.
    kept_seconds: float
    # How many releases of each endpoint were kept, however old.
    kept_releases: int
    # How many blobs were deleted, and how many bytes they had.
    blobs: int
    bytes: int
    # How many steps are done again when they are needed.
    steps: int
    # Who freed it.
    by: str
    # When, by the control clock.
    at: Instant
