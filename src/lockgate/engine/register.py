"""The register of features: what a version means, who answers for it, and who uses it.

- A version means one definition, in every project, from its first release on: a pointer from name and version to the
  definition, moved once.
- A project that means something else by it is refused: by `check` and at the beginning of a walk, before anything is
  computed, and once more when the walk comes to its release.
- What a package uses is a record of its own; users are found by the packages that are live.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from lockgate.engine.delivery import current_plan, endpoint_names
from lockgate.engine.installation import Installation
from lockgate.kernel.canonical import Digest, Instant, digest_of, parse
from lockgate.kernel.errors import Conflict, Fault, NotFound
from lockgate.kernel.names import nearest
from lockgate.ledger.protocols import Lease
from lockgate.project.blueprint import Blueprint
from lockgate.project.definitions import definitions, difference
from lockgate.project.lineage import NodeKind, lineage, source_columns
from lockgate.records.features import FeatureDefinition, TrainingSet
from lockgate.records.registration import RegisteredFeature, Registration
from lockgate.records.release import Release
from lockgate.records.snapshot import Snapshot
from lockgate.records.training import TrainingRun

__all__ = [
    "FeatureSeen",
    "FeatureStory",
    "check_versions",
    "free_version",
    "list_features",
    "register",
    "registration",
    "show_feature",
]

_ALL = 100_000


class User(msgspec.Struct, kw_only=True):
    """A release that uses a feature."""

    project: str
    # The release's name, such as `v3`, and its id.
    version: str
    release: Digest
    # `live`, `previous`, or `retired`.
    level: str


class Freshness(msgspec.Struct, kw_only=True):
    """How new the rows are that a feature is made of, in the snapshot of the newest release that uses it."""

    source: str
    snapshot: Digest
    # The time of its newest row, and the latest moment that the snapshot knows of; None for a table.
    newest: Instant | None
    known_until: Instant | None
    # How old the newest row is now, by the control clock; None for a table.
    age: timedelta | None


class VersionSeen(msgspec.Struct, kw_only=True):
    """A version of a feature."""

    version: int
    definition: Digest
    owner: str
    description: str
    returns: str
    # What feeds it, and where that comes from in the end.
    inputs: list[str]
    columns: tuple[str, ...]
    # Its text, over the literals that it reads.
    source: str
    literals: dict[str, str]
    registered_by: str
    registered_at: Instant
    users: list[User]


class FeatureSeen(msgspec.Struct, kw_only=True):
    """A feature, in a line."""

    name: str
    versions: list[int]
    owner: str
    description: str
    # The projects that use it live.
    projects: list[str]


class FeatureStory(msgspec.Struct, kw_only=True):
    """A feature, in full."""

    name: str
    # Newest first.
    versions: list[VersionSeen]
    freshness: list[Freshness]


def check_versions(where: Installation, blueprint: Blueprint, places: Mapping[str, str]) -> None:
    """Refuse definitions that were changed under a version that was released.

    Raises:
        Conflict: with a fault for each of them.
    """
    faults = tuple(_changed(where, definitions(blueprint), places))
    if faults:
        msg = f"{len(faults)} feature{'s mean' if len(faults) != 1 else ' means'} something else than when released"
        way_out = "Raise its version where it is declared, or put the old definition back."
        raise Conflict(msg, way_out=way_out, faults=faults)


def _changed(where: Installation, found: Mapping[str, FeatureDefinition], places: Mapping[str, str]) -> Iterator[Fault]:
    for feature, definition in found.items():
        stands = where.shelf.ledger.pointers.read(_pointer(definition))
        digest = digest_of(definition)
        if stands is not None and stands.value != digest:
            old = where.shelf.get(FeatureDefinition, stands.value)
            yield Fault(
                at=places.get(f"feature {feature}", definition.name),
                expected=f"version {definition.version} of {definition.name} as it was released, {stands.value}",
                found=digest,
                hint=f"\n{difference(old, definition)}\nThe next free one: version={_next_version(where, definition)}",
            )


def _pointer(definition: FeatureDefinition) -> str:
    return f"feature/{definition.name}/{definition.version}"


def _next_version(where: Installation, definition: FeatureDefinition) -> int:
    version = definition.version
    while where.shelf.ledger.pointers.read(f"feature/{definition.name}/{version}") is not None:
        version += 1
    return version


def free_version(where: Installation, blueprint: Blueprint) -> Blueprint:
    """Give each feature of a blueprint the version that means it here already, or the next one that is free.

    For features that nobody gave a version: those of functions that were brought.
    """
    for feature, definition in definitions(blueprint).items():
        version = definition.version
        while (stands := where.shelf.ledger.pointers.read(_pointer(replace(definition, version=version)))) is not None:
            if stands.value == digest_of(replace(definition, version=version)):
                break
            version += 1
        specs = tuple(
            replace(one, version=version) if one.name == feature else one for one in blueprint.features.features
        )
        blueprint = replace(blueprint, features=replace(blueprint.features, features=specs))
    return blueprint


def registration(blueprint: Blueprint, package: Digest) -> Registration:
    """Give what a package uses, as a record."""
    whole = lineage(blueprint.request, blueprint.features, blueprint.outcome)
    notes = {note.feature: note for note in blueprint.feature_notes}
    return Registration(
        project=blueprint.name,
        package=package,
        features=tuple(
            RegisteredFeature(
                name=definition.name,
                version=definition.version,
                definition=digest_of(definition),
                owner=notes[feature].owner,
                description=notes[feature].description,
                columns=source_columns(whole, f"{NodeKind.FEATURE.value}:{feature}"),
            )
            for feature, definition in definitions(blueprint).items()
        ),
    )


def register(where: Installation, blueprint: Blueprint, *, by: str, at: datetime, fence: Lease | None = None) -> None:
    """Let each version of a blueprint's features mean what it means there, from now on.

    Raises:
        Conflict: one means something else already.
    """
    for definition in definitions(blueprint).values():
        digest = where.shelf.keep(definition, subject=definition.name, by=by, at=at, fence=fence)
        stands = where.shelf.ledger.pointers.read(_pointer(definition))
        if stands is None or stands.value != digest:
            where.shelf.ledger.pointers.move(
                _pointer(definition), expected=None, value=digest, reason="release", by=by, at=at, fence=fence
            )


def list_features(where: Installation) -> list[FeatureSeen]:
    """Give every feature that was released, by name."""
    used = _used(where)
    found = []
    for name in _names(where):
        versions = _versions(where, name)
        seen = [one for _, _, one in used if one.name == name]
        newest = max(seen, key=lambda one: one.version, default=None)
        found.append(
            FeatureSeen(
                name=name,
                versions=sorted(one.version for one in versions),
                owner=newest.owner if newest else "",
                description=newest.description if newest else "",
                projects=sorted({user.project for _, user, one in used if one.name == name and user.level == "live"}),
            )
        )
    return found


def show_feature(where: Installation, name: str) -> FeatureStory:
    """Give all there is to know of a feature.

    Raises:
        NotFound: no release used one of that name.
    """
    known = _names(where)
    if name not in known:
        msg = f"There is no feature {name}"
        raise NotFound(msg, expected="a feature that a release uses", found=name, way_out=nearest(name, known))
    used = [(package, user, one) for package, user, one in _used(where) if one.name == name]
    versions = sorted(_versions(where, name), key=lambda one: -one.version)
    return FeatureStory(
        name=name,
        versions=[_version(where, definition, used) for definition in versions],
        freshness=_freshness(where, used),
    )


def _names(where: Installation) -> list[str]:
    stored = where.shelf.ledger.records.list("feature", limit=_ALL)
    return sorted({one.subject for one in stored})


def _versions(where: Installation, name: str) -> list[FeatureDefinition]:
    """Give the definitions that versions stand for; one that was kept by a walk that lost a race is none."""
    stored = where.shelf.ledger.records.list("feature", subject=name, limit=_ALL)
    found = [(one.id, parse(one.body, FeatureDefinition)) for one in stored]
    return [
        definition
        for digest, definition in found
        if (stands := where.shelf.ledger.pointers.read(_pointer(definition))) and stands.value == digest
    ]


_Used = tuple[Release, User, RegisteredFeature]


def _used(where: Installation) -> list[_Used]:
    """Give every use of a feature by a release, oldest first."""
    found: list[_Used] = []
    for project in endpoint_names(where):
        stored = where.shelf.ledger.records.list("registration", subject=project, limit=_ALL)
        registered = {one.package: one for one in (parse(each.body, Registration) for each in stored)}
        plan = current_plan(where, project)
        for each in where.shelf.ledger.records.list("release", subject=project, limit=_ALL):
            release = parse(each.body, Release)
            level = "retired"
            if plan is not None:
                level = {plan.previous: "previous", plan.live: "live"}.get(each.id, level)
            user = User(project=project, version=release.name, release=each.id, level=level)
            uses = registered.get(release.package)
            found += [(release, user, one) for one in uses.features] if uses else []
    return found


def _version(where: Installation, definition: FeatureDefinition, used: Iterable[_Used]) -> VersionSeen:
    digest = digest_of(definition)
    ours = [(user, one) for _, user, one in used if one.definition == digest]
    note = ours[-1][1] if ours else None
    stored = where.shelf.ledger.records.get("feature", digest)
    assert stored is not None  # noqa: S101 - it was listed
    return VersionSeen(
        version=definition.version,
        definition=digest,
        owner=note.owner if note else "",
        description=note.description if note else "",
        returns=definition.returns.value,
        inputs=[f"{one.kind.value} {one.source + '.' if one.source else ''}{one.name}" for one in definition.inputs],
        columns=note.columns if note else (),
        source=definition.code.source,
        literals=definition.code.literals,
        registered_by=stored.by,
        registered_at=stored.at,
        users=[user for user, _ in ours],
    )


def _freshness(where: Installation, used: Iterable[_Used]) -> list[Freshness]:
    """Give the age of the newest rows behind a feature, by the newest release of each project that uses it."""
    newest: dict[str, tuple[Release, RegisteredFeature]] = {}
    for release, user, one in used:
        newest[user.project] = release, one
    found = []
    for release, one in newest.values():
        run = where.shelf.get(TrainingRun, release.training_run)
        snapshots = where.shelf.get(TrainingSet, run.training_set).snapshots
        # What was brought has example rows, and no snapshots of sources.
        for source in sorted({column.partition(".")[0] for column in one.columns} & set(snapshots)):
            snapshot = where.shelf.get(Snapshot, snapshots[source])
            age = where.clock() - snapshot.last_event if snapshot.last_event else None
            found.append(
                Freshness(
                    source=source,
                    snapshot=snapshots[source],
                    newest=snapshot.last_event,
                    known_until=snapshot.known_until,
                    age=age,
                )
            )
    return found
