"""Examines snapshots as they are kept: on a walk, and when somebody asks (`lockgate check --data`).

A rule that is a function of the user's runs in a child, like all of a user's code; the others run here.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import polars as pl

from lockgate.checks.infer import infer_rules
from lockgate.checks.profile import profile_of
from lockgate.engine.checking import keys_wanted, rules_of
from lockgate.engine.children import Job, run_child
from lockgate.engine.installation import Installation
from lockgate.engine.jobs import Loaded, ToExamine, examine_kept
from lockgate.engine.snapshotting import fetch_rows
from lockgate.kernel.canonical import Digest, canonical, digest_of, parse
from lockgate.kernel.errors import NotFound
from lockgate.kernel.names import nearest
from lockgate.project.blueprint import Blueprint
from lockgate.records.check import CheckReport, Stage
from lockgate.records.snapshot import Snapshot
from lockgate.records.source import SourceSpec

__all__ = ["Inferred", "examine_data", "examine_somewhere", "infer"]

_RECENT = 500


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
        found = {spec.name: _newest(where, spec, snapshot) for spec in blueprint.sources}
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
        found = {spec.name: _newest(where, spec, snapshot) for spec in chosen}
        if not any(found.values()):
            raise _no_snapshot(list(found), snapshot)
        return [
            _inferred(where, spec, one, Path(scratch), by) for spec in chosen if (one := found[spec.name]) is not None
        ]


def _load(folder: Path, scratch: Path) -> Blueprint:
    return run_child(Job(kind="load", folder=str(folder), arguments={}), scratch / "load", Loaded).blueprint


def _newest(where: Installation, spec: SourceSpec, wanted: str | None) -> Snapshot | None:
    """Give the newest snapshot of a source as it is declared now; or the one asked for, by digest or its beginning."""
    for stored in where.shelf.ledger.records.latest("snapshot", limit=_RECENT):
        snapshot = parse(stored.body, Snapshot)
        named = wanted is None or stored.id.removeprefix("sha256:").startswith(wanted.removeprefix("sha256:"))
        if named and snapshot.source == spec.name:
            return snapshot
    return None


def _no_snapshot(sources: Sequence[str], wanted: str | None) -> NotFound:
    return NotFound(
        f"There is no snapshot of {', '.join(sources)}{f' that begins with {wanted}' if wanted else ''}",
        expected="one that was taken of these sources as they are declared now",
        found="none",
        way_out="lockgate ship takes one of every source.",
    )


def _asked(
    where: Installation,
    blueprint: Blueprint,
    spec: SourceSpec,
    found: Mapping[str, Snapshot | None],
    scratch: Path,
) -> ToExamine:
    snapshot = found[spec.name]
    assert snapshot is not None  # noqa: S101 - only those that were found are asked
    rules = rules_of(blueprint, Stage.KEPT, spec.name)
    before = [where.shelf.get(Snapshot, one).rows for one in snapshot.parents]
    stored = where.shelf.ledger.records.get("snapshot", digest_of(snapshot))
    return ToExamine(
        spec=spec,
        rules=[rule for rule in rules if rule.kind != "row_loss"],  # what was read is not there any more
        snapshot=digest_of(snapshot),
        files=fetch_rows(where, spec, snapshot, scratch / f"rows {spec.name}"),
        keys={
            name: (key, [path for path, _ in fetch_rows(where, blueprint.source(name), one, scratch / f"rows {name}")])
            for name, key in keys_wanted(rules)
            if (one := found.get(name)) is not None
        },
        rows_before=before[-1] if before else None,
        at=stored.at if stored else None,
        quarantine=str(scratch / f"quarantine-{spec.name}.parquet"),
    )


def _inferred(where: Installation, spec: SourceSpec, snapshot: Snapshot, scratch: Path, by: str) -> Inferred:
    frame = pl.concat(
        [pl.scan_parquet(path) for path, _ in fetch_rows(where, spec, snapshot, scratch / f"rows {spec.name}")]
    ).collect()
    profile = profile_of(spec.name, digest_of(snapshot), frame)
    where.shelf.keep(profile, subject=spec.name, by=by, at=where.clock())
    name = f"{spec.name}.profile.json"
    return Inferred(
        source=spec.name,
        snapshot=digest_of(snapshot),
        files={
            f"checks/{name}": canonical(profile).decode(),
            f"checks/{spec.name}.toml": infer_rules(spec, profile, frame, name),
        },
    )
