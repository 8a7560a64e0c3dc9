"""The walk of a model that was fitted elsewhere: brought, read in a child, and from the package on as any other.

    brought → package → gates → release → rollout

- What is brought is copied byte by byte first, and compared with what was there when the walk was opened. All that is
  parsed is parsed from those copies, in a child: a parser that crashes takes only that child.
- Nothing is fitted. The records say so: the training run and the package name what was brought.
"""

import shutil
from pathlib import Path

import msgspec

from lockgate.engine.bringing.asked import ImportAsked, look_at
from lockgate.engine.bringing.job import BroughtIn
from lockgate.engine.children import Job, run_child
from lockgate.engine.line import FITTED, Made, from_the_gates_on
from lockgate.engine.machine import environment, machine
from lockgate.engine.register import free_version
from lockgate.engine.walk import Told, Walk
from lockgate.kernel.canonical import Digest, digest_of
from lockgate.kernel.errors import Conflict
from lockgate.project.blueprint import Blueprint
from lockgate.records.line import Tree
from lockgate.records.training import Imported, TrainingRun

__all__ = ["IMPORT", "walk_the_import"]

IMPORT = "import"
"""The parameter of a walk that says what is imported."""


def walk_the_import(walk: Walk) -> Digest:
    """Go the whole way, or go on where an earlier walk stopped; give the release.

    Raises:
        GateClosed: a check or a gate did not open.
        LockgateError: what else was refused or failed.
    """
    made = Made(walk)
    files = _brought(made)
    _read(made, files)
    made.package()
    return from_the_gates_on(made)


def _asked(made: Made) -> ImportAsked:
    return msgspec.convert(made.walk.line.parameters[IMPORT], ImportAsked)


def _brought(made: Made) -> dict[str, Digest]:
    """Copy what is brought, byte by byte; nothing of it is parsed."""

    def work() -> dict[str, Digest]:
        made.walk.keep(environment())
        asked = _asked(made)
        bringing = look_at(asked)
        kept = {name: made.shelf.blobs.put_file(path) for name, path in bringing.files.items()}
        if digest_of(Tree(files=kept)) != made.walk.line.code:
            msg = f"{asked.place.name} or its example rows were changed since this import began; nothing of it was used"
            raise Conflict(msg, way_out="Import it again.")
        return kept

    return made.walk.step("brought", {"files": made.walk.line.code}, work)


def _read(made: Made, files: dict[str, Digest]) -> None:
    """Have a child read what was brought; fill in all that a project, its data and its fit would have made."""
    walk, shelf, asked, scratch = made.walk, made.shelf, _asked(made), made.walk.scratch / "import"

    def work() -> dict[str, Digest]:
        for name, digest in files.items():
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            shelf.blobs.fetch(digest, scratch / name)
        job = Job(kind="import", folder=str(scratch), arguments={"asked": asked.plain()})
        found = run_child(job, scratch, BroughtIn, walk.progress("import"))
        for name in ("train", "test"):
            shelf.blobs.put_file(scratch / f"{name}.parquet")
        imported = walk.keep(_imported(asked, found, files))
        training_set = walk.keep(found.training_set)
        blueprint = free_version(walk.where, found.blueprint)
        run = _run(made, found, training_set, imported, shelf.blobs.put_file(scratch / "output.log"))
        made_here = {
            "blueprint": walk.keep(blueprint),
            "training_set": training_set,
            "imported": imported,
            "run": walk.keep(run),
            "format": shelf.blobs.put(found.format.encode()),
            "runtime": shelf.blobs.put(found.runtime.encode()),
            **{part: shelf.blobs.put_file(scratch / part) for part in FITTED},
            **{f"report {report.place}": walk.keep(report) for report in found.reports},
        }
        walk.tell(Told(station="import", state="going", share=1, text="; ".join([found.fitted, *found.notes])))
        shutil.rmtree(scratch / "model", ignore_errors=True)
        return made_here

    consumed = {"files": walk.line.code, "asked": digest_of(asked.plain()), "environment": walk.line.environment}
    produced = walk.step("import", consumed, work)
    made.blueprint_id, made.set_id, made.imported = (produced[one] for one in ("blueprint", "training_set", "imported"))
    made.blueprint = shelf.get(Blueprint, made.blueprint_id)
    made.bound = made.blueprint.features
    made.set_made, made.run_made = {"training_set": made.set_id}, produced
    reports = {name: digest for name, digest in produced.items() if name.startswith("report ")}
    made.report_ids = {name.removeprefix("report "): digest for name, digest in reports.items()}


def _imported(asked: ImportAsked, found: BroughtIn, files: dict[str, Digest]) -> Imported:
    (example,) = (digest for name, digest in files.items() if name.startswith("example/"))
    plain = asked.plain()
    return Imported(
        kind=found.kind,
        name=Path(asked.path).name,
        files={name.removeprefix("model/"): one for name, one in files.items() if not name.startswith("example/")},
        example=example,
        said=found.said,
        asked={
            name: value for name, value in plain.items() if name not in {"path", "example", "name", "build", "gates"}
        },
    )


def _run(made: Made, found: BroughtIn, training_set: Digest, imported: Digest, output: Digest) -> TrainingRun:
    line = made.walk.line
    return TrainingRun(
        project=found.blueprint.name,
        model=digest_of(found.blueprint.model),
        training_set=training_set,
        code=line.code,
        environment=line.environment,
        parameters={},
        fitted=found.fitted,
        output=output,
        machine=machine(),
        line=line.id,
        by=line.by,
        began_at=line.at,
        seconds=0.0,
        peak_memory=found.peak_memory,
        imported=imported,
    )
