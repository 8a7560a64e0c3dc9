"""Examines snapshots as they are kept: on a walk, and when somebody asks (`lockgate check --data`).

A rule that is a function of the user's runs in a child, like all of a user's code; the others run here.
"""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from lockgate.checks.infer import infer_rules
from lockgate.checks.profile import profile_of
from lockgate.engine.checking import keys_wanted, rules_of
from lockgate.engine.children import Job, run_child
from lockgate.engine.installation import Installation
from lockgate.engine.jobs import Loaded, ToExamine, examine_kept
from lockgate.engine.snapshotting import fetch_gone, fetch_rows, readings, rows_before
from lockgate.features.known import AVAILABLE, GONE, held, known_rows
from lockgate.kernel.canonical import Digest, canonical
from lockgate.kernel.errors import NotFound
from lockgate.kernel.names import nearest
from lockgate.project.blueprint import Blueprint
from lockgate.records.check import CheckReport, Stage
from lockgate.records.snapshot import Reading, Snapshot
from lockgate.records.source import SourceSpec

__all__ = ["Inferred", "examine_data", "examine_somewhere", "infer"]


class Inferred(msgspec.Struct, kw_only=True):
    """Rules that were written down from a snapshot; files for the project folder."""

    source: str
    snapshot: Digest
    # Path in the project folder to text.
    files: dict[str, str]


def examine_somewhere(asked: ToExamine, folder: str, scratch: Path) -> CheckReport:
    """Examine a snapshot: here, or in a child if a rule is a function of the user's."""
    if not any(rule.kind == "holds" for rule in asked.rules):
        return examine_kept(asked)
    return run_child(Job(kind="check", folder=folder, arguments=msgspec.to_builtins(asked)), scratch, CheckReport)


def examine_data(where: Installation, folder: Path, snapshot: str | None) -> list[CheckReport]:
    """Examine the newest snapshot of every source of a project, or one snapshot, by the rules as they stand now.

    Raises:
        Invalid: the project has mistakes.
        NotFound: there is no snapshot to examine.
    """
    with tempfile.TemporaryDirectory(prefix="lockgate-") as scratch:
        blueprint = _load(folder, Path(scratch))
        found = {spec.name: _newest(where, blueprint.name, spec.name, snapshot) for spec in blueprint.sources}
        chosen = [spec for spec in blueprint.sources if found[spec.name] is not None]
        if not chosen or (snapshot is None and len(chosen) < len(found)):
            raise _no_snapshot([name for name, one in found.items() if one is None], snapshot)
        return [
            examine_somewhere(
                _asked(where, blueprint, spec, found, Path(scratch)), str(folder), Path(scratch) / f"check {spec.name}"
            )
            for spec in chosen
        ]


def infer(where: Installation, folder: Path, source: str | None, snapshot: str | None, *, by: str) -> list[Inferred]:
    """Write rules down for the sources of a project that have a snapshot, or for one of them; their profiles are kept.

    Raises:
        Invalid: the project has mistakes.
        NotFound: there is no such source, or no snapshot of it.
    """
    with tempfile.TemporaryDirectory(prefix="lockgate-") as scratch:
        blueprint = _load(folder, Path(scratch))
        names = [spec.name for spec in blueprint.sources]
        if source is not None and source not in names:
            msg = f"{blueprint.name} has no source {source}"
            raise NotFound(msg, expected="a source of the project", found=source, way_out=nearest(source, names))
        chosen = [spec for spec in blueprint.sources if source in {None, spec.name}]
        found = {spec.name: _newest(where, blueprint.name, spec.name, snapshot) for spec in chosen}
        if not any(found.values()):
            raise _no_snapshot(list(found), snapshot)
        return [
            _inferred(where, spec, one, Path(scratch), by) for spec in chosen if (one := found[spec.name]) is not None
        ]


def _load(folder: Path, scratch: Path) -> Blueprint:
    return run_child(Job(kind="load", folder=str(folder), arguments={}), scratch / "load", Loaded).blueprint


def _newest(where: Installation, project: str, source: str, wanted: str | None) -> Reading | None:
    """Give the newest reading of a source; or the one of the snapshot asked for, by digest or its beginning."""
    for _, reading in readings(where, project, source):
        if wanted is None or reading.snapshot.removeprefix("sha256:").startswith(wanted.removeprefix("sha256:")):
            return reading
    return None


def _no_snapshot(sources: Sequence[str], wanted: str | None) -> NotFound:
    return NotFound(
        f"There is no snapshot of {', '.join(sources)}{f' that begins with {wanted}' if wanted else ''}",
        expected="one that was taken of these sources as they are declared now",
        found="none",
        way_out="lockgate snapshot take FOLDER takes one of every source; so does lockgate ship.",
    )


def _asked(
    where: Installation, blueprint: Blueprint, spec: SourceSpec, found: Mapping[str, Reading | None], scratch: Path
) -> ToExamine:
    reading = found[spec.name]
    assert reading is not None  # noqa: S101 - only those that were found are asked
    rules = rules_of(blueprint, Stage.KEPT, spec.name)
    return ToExamine(
        spec=spec,
        rules=[rule for rule in rules if rule.kind != "row_loss"],  # what was read is not there any more
        snapshot=reading.snapshot,
        files=_files(where, spec, reading, scratch),
        gone=fetch_gone(where, reading, scratch / f"rows {spec.name}"),
        keys={
            name: (key, [path for path, _ in _files(where, blueprint.source(name), one, scratch)])
            for name, key in keys_wanted(rules)
            if (one := found.get(name)) is not None
        },
        rows_before=rows_before(where, reading),
        at=reading.taken_as_of,
        quarantine=str(scratch / f"quarantine-{spec.name}.parquet"),
    )


def _files(where: Installation, spec: SourceSpec, reading: Reading, scratch: Path) -> list[tuple[str, datetime | None]]:
    return fetch_rows(where, spec, where.shelf.get(Snapshot, reading.snapshot), scratch / f"rows {spec.name}")


def _inferred(where: Installation, spec: SourceSpec, reading: Reading, scratch: Path, by: str) -> Inferred:
    files = _files(where, spec, reading, scratch)
    frame = held(known_rows(spec, files, fetch_gone(where, reading, scratch / f"rows {spec.name}")).collect())
    frame = frame.drop(AVAILABLE, GONE, strict=False)
    profile = profile_of(spec.name, reading.snapshot, frame)
    where.shelf.keep(profile, subject=spec.name, by=by, at=where.clock())
    name = f"{spec.name}.profile.json"
    return Inferred(
        source=spec.name,
        snapshot=reading.snapshot,
        files={
            f"checks/{name}": canonical(profile).decode(),
            f"checks/{spec.name}.toml": infer_rules(spec, profile, frame, name),
        },
    )
