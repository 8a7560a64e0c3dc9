"""Makes a released package again: the commit, the recorded environment, the recorded training set, the fit.

- The project is found in a copy of the repository by the digest of its code, wherever it lies in it.
- Where the library is deterministic the package comes out with the same id. Else it must give the recorded reference
  answers within their tolerance; what differs is named.
- What came of it is evidence about the package. Nothing else is kept, and nothing of the repository is changed.
"""

import shutil
import subprocess
from pathlib import Path

import msgspec

from lockgate.engine.children import Job, run_child
from lockgate.engine.fitting import Fit
from lockgate.engine.fresh import differences, environment_of, make_environment
from lockgate.engine.installation import Installation
from lockgate.engine.jobs import Loaded
from lockgate.engine.line import FITTED
from lockgate.engine.machine import environment, machine
from lockgate.engine.reasking import Reasked
from lockgate.engine.repository import look
from lockgate.engine.walk import Told, Walk
from lockgate.kernel.canonical import Digest, digest_of, short
from lockgate.kernel.errors import GateClosed, NotFound, Refused
from lockgate.packages.folder import PackageReader, pack
from lockgate.packages.runtime import REFERENCE, read_contract
from lockgate.project.load import FILE
from lockgate.records.features import TrainingSet
from lockgate.records.package import Evidence, Package
from lockgate.records.release import Release
from lockgate.records.training import Environment, TrainingRun

__all__ = ["REBUILD", "RebuildAsked", "check_rebuildable", "walk_the_rebuild"]

REBUILD = "rebuild"
"""The parameter of a walk that says what is made again; also the kind of its evidence."""


class RebuildAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rebuild, as it was asked for."""

    # The release whose package is made again.
    release: Digest
    # The repository, or a folder in it; from the root.
    repository: str
    # Whether in a fresh environment; else in this one.
    fresh: bool = True


def check_rebuildable(where: Installation, asked: RebuildAsked) -> Release:
    """Give the release, if its package was made of a commit, and the repository has it.

    Raises:
        NotFound: it does not, or is none.
        Refused: its model was brought, or it was made of changes that were not committed.
    """
    found = where.shelf.get(Release, asked.release)
    if where.shelf.get(Package, found.package).imported is not None:
        msg = f"{found.endpoint} {found.name} was imported: it was fitted elsewhere, and can't be fitted again here"
        raise Refused(msg, expected="a package of a project", found="an imported one")
    if found.dirty:
        msg = f"{found.endpoint} {found.name} was made of changes that were not committed, and nobody has those"
        raise Refused(msg, expected=f"a release of commit {found.commit[:12]} as it stands", found="a dirty one")
    try:
        _git("-C", asked.repository, "cat-file", "-e", f"{found.commit}^{{commit}}")
    except Refused as error:
        msg = f"{asked.repository} does not have commit {found.commit[:12]}"
        hint = "Name a repository that has it; git fetch may bring it."
        raise NotFound(msg, expected=f"commit {found.commit}", found=error.found, way_out=hint) from error
    return found


def walk_the_rebuild(walk: Walk) -> str:
    """Make the package again and keep what came of it; says it in words.

    Raises:
        GateClosed: it gives other answers.
        LockgateError: it can't be made here.
    """
    asked = msgspec.convert(walk.line.parameters[REBUILD], RebuildAsked)
    release = check_rebuildable(walk.where, asked)
    consumed = {"package": release.package, "walk": walk.line.id}
    made = walk.step(REBUILD, consumed, lambda: {"evidence": walk.keep(_Rebuild(walk, asked, release).evidence())})
    found = walk.where.shelf.get(Evidence, made["evidence"]).values
    if found["same_id"]:
        return f"the same package came out, {release.package}"
    said = f"answers differ by {found['worst_difference']:.1e} at most on {found['questions']} questions"
    if not found["same_answers"]:
        raise GateClosed(
            f"The package of {release.endpoint} {release.name} came out otherwise",
            expected=f"its reference answers, within {found['tolerance']:g}",
            found=f"{said}; other are {', '.join(found['other'])}",
        )
    return f"the same answers came out; {said}; other are {', '.join(found['other'])}"


class _Rebuild:
    """One making, in the walk's scratch folder."""

    def __init__(self, walk: Walk, asked: RebuildAsked, release: Release) -> None:
        self._walk, self._asked, self._release = walk, asked, release
        self._shelf, self._scratch = walk.where.shelf, walk.scratch / REBUILD
        self._reader = PackageReader(self._shelf.unpack(release.package), release.package)
        self._run = self._shelf.get(TrainingRun, release.training_run)
        # What a killed one left behind is not to be trusted.
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True)

    def evidence(self) -> Evidence:
        began = self._walk.where.clock()
        project = self._checkout()
        python, differs = self._environment()
        files, format_and_runtime = self._fit(project, python)
        self._tell("package", "began")
        folder = self._scratch / "package"
        recorded = self._reader.package
        digest, package = pack(
            folder,
            files,
            **format_and_runtime,
            project=recorded.project,
            training_set=recorded.training_set,
            code=look(project).code,
            environment=digest_of(environment_of(python)),
            parameters=recorded.parameters,
        )
        asked = {"package": digest, "folder": str(folder), "recorded": str(self._reader.folder / REFERENCE)}
        again = run_child(
            Job(kind="reask", folder=str(folder), arguments=asked), self._scratch / "reask", Reasked, python=python
        )
        listed = {one.path: one.digest for one in recorded.files}
        other = [one.path for one in package.files if listed.get(one.path) != one.digest]
        self._tell("package", "done", f"package {short(digest)}")
        shutil.rmtree(self._scratch, ignore_errors=True)
        values = {
            "same_id": digest == self._release.package,
            "same_answers": again.worst_difference <= again.tolerance,
            "rebuilt": digest,
            "other": other or (["the environment"] if differs else []),
            "worst_difference": again.worst_difference,
            "tolerance": again.tolerance,
            "questions": again.questions,
            "fresh": self._asked.fresh,
            "environment_differs": differs,
            "commit": self._release.commit,
            "seconds": (self._walk.where.clock() - began).total_seconds(),
        }
        return Evidence(
            package=self._release.package,
            kind=REBUILD,
            on=recorded.training_set,
            at=self._walk.where.clock(),
            machine=machine(),
            values=values,
        )

    def _tell(self, station: str, state: str, text: str = "") -> None:
        self._walk.tell(Told(station=station, state=state, text=text, share=1.0 if state == "done" else 0.0))

    def _checkout(self) -> Path:
        """Give the project's folder in a copy of the repository, as the commit has it."""
        self._tell("checkout", "began")
        copy, commit = self._scratch / "checkout", self._release.commit
        _git("clone", "--quiet", "--no-checkout", "--", self._top(), str(copy))
        _git("-C", str(copy), "checkout", "--quiet", "--detach", commit)
        for file in sorted(copy.rglob(FILE)):
            if look(file.parent).code == self._reader.package.code:
                self._tell("checkout", "done", f"commit {commit[:12]}, {file.parent.relative_to(copy)}")
                return file.parent
        msg = f"No project in commit {commit[:12]} has the code of this package"
        raise NotFound(msg, expected=f"code {short(self._reader.package.code)}", found="others, or none")

    def _top(self) -> str:
        """Give the top of the repository that a folder of it was named of."""
        return _git("-C", self._asked.repository, "rev-parse", "--show-toplevel").strip()

    def _environment(self) -> tuple[Path | None, list[str]]:
        """Give the Python to build with, and how its environment differs from the recorded one."""
        recorded = self._shelf.get(Environment, self._reader.package.environment)
        if not self._asked.fresh:
            return None, differences(recorded, environment())
        self._tell("environment", "began")
        tell = self._walk.progress("environment")
        python = make_environment(recorded, self._scratch / "venv", lambda text: tell(0.5, text))
        differs = differences(recorded, environment_of(python))
        said = (
            "; ".join(differs[:3]) or f"Python {recorded.python}, {len(recorded.packages)} distributions, as recorded"
        )
        self._tell("environment", "done", said)
        return python, differs

    def _fit(self, project: Path, python: Path | None) -> tuple[dict[str, bytes], dict[str, str]]:
        """Fit again; give the files of the package, and its format and who answers."""
        self._tell("training", "began")
        scratch, contract = self._scratch / "fit", read_contract(self._reader)
        loaded = run_child(
            Job(kind="load", folder=str(project), arguments={}), self._scratch / "load", Loaded, python=python
        )
        rows = self._shelf.get(TrainingSet, self._reader.package.training_set)
        scratch.mkdir()
        for name, listed in {"train": rows.train_files, "test": rows.test_files}.items():
            self._shelf.blobs.fetch(listed[0].digest, scratch / f"{name}.parquet")
        arguments = {
            "model": msgspec.to_builtins(loaded.blueprint.model),
            "features": msgspec.to_builtins(contract.features),
            "train": str(scratch / "train.parquet"),
            "test": str(scratch / "test.parquet"),
            "began_at": self._walk.where.clock().isoformat(),
        }
        found = run_child(Job(kind="fit", folder=str(project), arguments=arguments), scratch, Fit, python=python)
        kept = {one.path: self._reader.read(one.path) for one in self._reader.package.files if one.path not in FITTED}
        fitted = {part: data for part in FITTED if (data := (scratch / part).read_bytes())}
        self._tell("training", "done", f"{found.fitted}, {found.seconds:.1f} s")
        return {**kept, **fitted}, {"format": found.format, "runtime": found.runtime}


def _git(*command: str) -> str:
    done = subprocess.run(  # noqa: S603 - fixed words, and a path after --
        ["git", *command],  # noqa: S607 - git is found on the PATH on purpose
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["nothing was said"]
        raise Refused("git refused", expected="a repository", found=last[0])
    return done.stdout
