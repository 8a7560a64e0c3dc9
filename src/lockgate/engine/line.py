"""The order of the line: from a checkout to a release that answers.

    project → snapshots → checks → features → training → package → gates → release → rollout

Each paragraph below is a station. What it consumes names all that decides its result; what it produces is named by
digest. User code runs in children only; the signing key is used here, where none runs.
"""

from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from lockgate.engine.checking import guards, keys_wanted, quarantines, rules_of, stop_on_checks
from lockgate.engine.children import Job, run_child
from lockgate.engine.delivery import current_plan, deliver, ensure_endpoint
from lockgate.engine.examining import examine_somewhere
from lockgate.engine.fitting import Fit
from lockgate.engine.jobs import Assembled, Loaded, SourceRows, ToExamine
from lockgate.engine.judged import Judged
from lockgate.engine.judging import judge_all
from lockgate.engine.machine import environment, processes
from lockgate.engine.performance import consumed_by
from lockgate.engine.recording import Recorder
from lockgate.engine.register import check_versions, register, registration
from lockgate.engine.repository import look
from lockgate.engine.snapshotting import fetch_gone, fetch_rows, rows_before, said_of, take_source
from lockgate.engine.trusting import needs_signing, signs_with
from lockgate.engine.waiving import pass_gates, refuse_if_shut, stands_as_waived
from lockgate.engine.walk import Told, Walk
from lockgate.kernel.canonical import Digest, canonical, digest_of, short
from lockgate.kernel.errors import Conflict, NotFound
from lockgate.kernel.names import nearest
from lockgate.packages.folder import pack
from lockgate.packages.runtime import CODE, CONTRACT, MODEL, REFERENCE, TREES
from lockgate.project.bind import bind
from lockgate.project.blueprint import Blueprint
from lockgate.records.check import CheckReport, Stage
from lockgate.records.features import FeatureSet, FieldKind, TrainingSet
from lockgate.records.package import Contract
from lockgate.records.release import Release
from lockgate.records.rollout import TrafficPlan
from lockgate.records.snapshot import Reading, Snapshot
from lockgate.records.source import SourceSpec
from lockgate.rollout.plans import go_live

__all__ = ["FITTED", "Made", "from_the_gates_on", "walk_the_line"]

T = TypeVar("T")

FITTED = (MODEL, CODE, TREES, REFERENCE)
"""The files of a package that fitting makes."""


def walk_the_line(walk: Walk) -> Digest | None:
    """Go the whole way, or go on where an earlier walk stopped; give the release, or None where it ends before one.

    Raises:
        GateClosed: a check or a gate did not open.
        LockgateError: what else was refused or failed.
    """
    made = Made(walk)
    if walk.line.parameters.get("until") == "snapshots":
        made.project()
        made.snapshots()
        return None
    for station in (made.project, made.snapshots, made.checks, made.features, made.training, made.package):
        station()
    return from_the_gates_on(made)


def from_the_gates_on(made: "Made") -> Digest:
    """Bring a package that is packed to its release; every package goes this way, wherever its model came from.

    Raises:
        GateClosed: a gate did not open.
        LockgateError: what else was refused or failed.
    """
    already = made.already_live()
    if already is not None:
        made.walk.tell(Told(station="release", state="found", text="this package is live already"))
        return already
    made.gates()
    made.register()
    release = made.release()
    if made.walk.line.parameters["rollout"]:
        made.rollout(release)
    return release


class Made:
    """What has been made so far on a walk."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.shelf = walk.where.shelf
        self.blueprint: Blueprint
        self.blueprint_id: Digest
        self.places: dict[str, str]
        self.taken: dict[str, tuple[Digest, Path]] = {}
        self.readings: dict[str, Reading] = {}
        self.schemas: dict[str, dict[str, FieldKind | None]] = {}
        self.bound: FeatureSet
        self.report_ids: dict[str, Digest] = {}
        self.set_id: Digest
        self.set_made: dict[str, Digest]
        self.run_made: dict[str, Digest]
        self.imported: Digest | None = None
        self.package_id: Digest
        self.rival: Digest | None = None
        self.verdict_ids: tuple[Digest, ...]
        self.waiver_ids: tuple[Digest, ...]
        self.evidence_ids: tuple[Digest, ...]

    def project(self) -> None:
        """Compile the project file, in a child."""

        def work() -> dict[str, Digest]:
            self.walk.keep(environment())
            loaded = self._run_code("load", {}, self.walk.scratch / "load", Loaded)
            places = self.shelf.blobs.put(msgspec.json.encode(loaded.places, order="sorted"))
            return {"blueprint": self.walk.keep(loaded.blueprint), "places": places}

        line = self.walk.line
        made = self.walk.step("project", {"code": line.code, "environment": line.environment}, work)
        self.blueprint_id = made["blueprint"]
        self.blueprint = self.shelf.get(Blueprint, self.blueprint_id)
        self.places = msgspec.json.decode(self.shelf.blobs.get(made["places"]), type=dict[str, str])
        check_versions(self.walk.where, self.blueprint, self.places)

    def snapshots(self) -> None:
        """Read every source, each in a child; this walk's reading is its own."""
        self._check_anew()
        for spec in self.blueprint.sources:
            scratch = self.walk.scratch / f"snapshot-{spec.name}"
            anew = spec.name in self.walk.line.parameters.get("anew", ())
            consumed = {"source": digest_of(spec), "code": self.walk.line.code, "walk": self._readings_of}

            def work(spec=spec, scratch=scratch, anew=anew) -> dict[str, Digest]:  # type: ignore[no-untyped-def] # noqa: ANN001 - bound now, in the loop
                return take_source(
                    self.walk.where,
                    spec,
                    project=self.blueprint.name,
                    at=self._at,
                    anew=anew,
                    rules=rules_of(self.blueprint, Stage.READ, spec.name),
                    scratch=scratch,
                    run=self._run_code,
                    keep=self.walk.keep,
                    line=self.walk.line.id,
                )

            made = self.walk.step("snapshots", consumed, work, name=spec.name)
            self.taken[spec.name] = (made["snapshot"], scratch)
            self.report_ids[f"{spec.name} as read"] = made["read"]
            self.readings[spec.name] = self.shelf.get(Reading, made["reading"])
            self._say_snapshot(spec)
            self._kinds(spec.name, made["kinds"])
        self.bound = bind(self.blueprint, self.schemas, self.places)

    def _check_anew(self) -> None:
        names = [spec.name for spec in self.blueprint.sources]
        for name in self.walk.line.parameters.get("anew", ()):
            if name not in names:
                msg = f"{self.blueprint.name} has no source {name} to begin anew"
                raise NotFound(msg, expected="a source of the project", found=name, way_out=nearest(name, names))

    @property
    def _readings_of(self) -> str:
        """The walk whose readings of its sources these are: this one, or the one that it goes on with."""
        return str(self.walk.line.parameters.get("again") or self.walk.line.id)

    @property
    def _at(self) -> datetime:
        """The moment that this walk's snapshots speak of."""
        return datetime.fromisoformat(self.walk.line.parameters["as_of"] or self.walk.line.at.isoformat())

    def _say_snapshot(self, spec: SourceSpec) -> None:
        snapshot = self.shelf.get(Snapshot, self.taken[spec.name][0])
        text = said_of(self.readings[spec.name], snapshot)
        self.walk.tell(Told(station=f"snapshots {spec.name}", state="going", share=1, text=text))

    def checks(self) -> None:
        """Examine every snapshot by its rules; any that does not hold stops the line."""
        at = self._at
        for spec in self.blueprint.sources:
            rules = rules_of(self.blueprint, Stage.KEPT, spec.name)
            others = keys_wanted(rules)

            def work(spec=spec, rules=rules, others=others) -> dict[str, Digest]:  # type: ignore[no-untyped-def] # noqa: ANN001 - bound now, in the loop
                digest = self.taken[spec.name][0]
                asked = ToExamine(
                    spec=spec,
                    rules=rules,
                    snapshot=digest,
                    files=self._source_files(spec.name),
                    gone=self._gone(spec.name),
                    keys={name: (key, [path for path, _ in self._source_files(name)]) for name, key in others},
                    rows_in=self.shelf.get(CheckReport, self.report_ids[f"{spec.name} as read"]).rows,
                    rows_before=rows_before(self.walk.where, self.readings[spec.name]),
                    at=at,
                    quarantine=str(self.walk.scratch / f"quarantine-{spec.name}.parquet"),
                )
                scratch = self.walk.scratch / f"check-{spec.name}"
                report = examine_somewhere(asked, self.walk.line.folder, scratch)
                if report.quarantine is not None:
                    self.shelf.blobs.put_file(Path(asked.quarantine))
                return {"report": self.walk.keep(report)}

            consumed = {
                "snapshot": self.taken[spec.name][0],
                "rules": digest_of([canonical(rule).decode() for rule in rules]),
                "read": self.report_ids[f"{spec.name} as read"],
                **{f"keys of {name}": self.taken[name][0] for name, _ in others},
                **({"at": at.isoformat()} if any(rule.kind == "fresh" for rule in rules) else {}),
            }
            made = self.walk.step("checks", consumed, work, name=spec.name)
            self.report_ids[f"{spec.name} as kept"] = made["report"]
        stop_on_checks(self._reports())

    def _reports(self) -> tuple[CheckReport, ...]:
        return tuple(self.shelf.get(CheckReport, digest) for digest in self.report_ids.values())

    def features(self) -> None:
        """Join the training set as it would have been served, in a child."""
        scratch = self.walk.scratch / "features"
        consumed = {
            **{f"snapshot {name}": digest for name, (digest, _) in self.taken.items()},
            "request": digest_of(self.blueprint.request),
            "features": digest_of(self.bound),
            "outcome": digest_of(self.blueprint.outcome),
            "test": f"{self.blueprint.model.test_seconds:g} s",
            "rules": digest_of(
                [canonical(rule).decode() for rule in self.blueprint.rules if rule.quarantine or not rule.source]
            ),
        }

        def work() -> dict[str, Digest]:
            arguments = {
                "blueprint": msgspec.to_builtins(self.blueprint),
                "features": msgspec.to_builtins(self.bound),
                "snapshots": {name: digest for name, (digest, _) in self.taken.items()},
                "sources": self._source_rows(),
                "processes": processes(),
            }
            found = run_child(self._job("assemble", arguments), scratch, Assembled, self.walk.progress("features"))
            for name in ("train", "test"):
                self.shelf.blobs.put_file(scratch / f"{name}.parquet")
            files = {
                f"file {path.relative_to(scratch / 'files').as_posix()}": self.shelf.blobs.put_file(path)
                for path in sorted((scratch / "files").rglob("*"))
                if path.is_file()
            }
            reports = {f"report {report.place}": self.walk.keep(report) for report in found.reports}
            return {"training_set": self.walk.keep(found.training_set), **files, **reports}

        self.set_made = self.walk.step("features", consumed, work)
        self.set_id = self.set_made["training_set"]
        made = self.set_made.items()
        self.report_ids |= {name.removeprefix("report "): digest for name, digest in made if name.startswith("report ")}
        stop_on_checks(self._reports())

    def training(self) -> None:
        """Call the user's fitting function, in a child."""
        scratch = self.walk.scratch / "training"
        model, line = self.blueprint.model, self.walk.line
        consumed = {
            "training_set": self.set_id,
            "model": digest_of(model),
            "code": line.code,
            "environment": line.environment,
        }

        def work() -> dict[str, Digest]:
            arguments = {
                "model": msgspec.to_builtins(model),
                "features": msgspec.to_builtins(self.bound),
                "train": str(self._rows_of("train")),
                "test": str(self._rows_of("test")),
            }
            recorder = Recorder(self.walk, scratch, self.blueprint.name, model, self.set_id)
            found, run = recorder.fit(
                lambda at: self._run_code("fit", {**arguments, "began_at": at.isoformat()}, scratch, Fit)
            )
            return {
                "run": run,
                "format": self.shelf.blobs.put(found.format.encode()),
                "runtime": self.shelf.blobs.put(found.runtime.encode()),
                **{part: self.shelf.blobs.put_file(scratch / part) for part in FITTED},
            }

        self.run_made = self.walk.step("training", consumed, work)

    def package(self) -> None:
        """Pack model, contract, tables and reference answers; nothing is run."""
        contract = self._contract()
        files = {
            name.removeprefix("file "): digest for name, digest in self.set_made.items() if name.startswith("file ")
        }
        files |= {part: self.run_made[part] for part in FITTED}
        made = {name: self.run_made[name] for name in ("run", "format", "runtime")}
        consumed = {"contract": digest_of(contract), **made, **files}

        def work() -> dict[str, Digest]:
            content = {path: data for path, digest in files.items() if (data := self.shelf.blobs.get(digest))}
            folder = self.walk.scratch / "package"
            line = self.walk.line
            pack(
                folder,
                {CONTRACT: canonical(contract), **content},
                project=self.blueprint.name,
                format=self.shelf.blobs.get(made["format"]).decode(),
                runtime=self.shelf.blobs.get(made["runtime"]).decode(),
                training_set=self.set_id,
                code=line.code,
                environment=line.environment,
                parameters=self.blueprint.model.parameters,
                imported=self.imported,
            )
            now = self.walk.where.clock()
            return {"package": self.shelf.keep_package(folder, by=line.by, at=now, fence=self.walk.fence)}

        self.package_id = self.walk.step("package", consumed, work)["package"]

    def already_live(self) -> Digest | None:
        """Give the live release if it is of this very package, and rests on what it was released on."""
        live = self._live()
        if live is None or live[1].package != self.package_id or not stands_as_waived(self.walk.where, live[1]):
            return None
        return None if needs_signing(self.walk.where, live[0]) else live[0]

    def gates(self) -> None:
        """Measure the package, and the live one beside it, then judge."""
        live = self._live()
        self.rival = live[0] if live else None
        judged = Judged(
            walk=self.walk,
            blueprint=self.blueprint,
            package=self.package_id,
            live=live[1] if live else None,
            training_set=self.set_id,
            report_ids=self.report_ids,
            test=lambda: self._rows_of("test"),
            sources=self._source_rows,
        )
        made = self.walk.step("gates", consumed_by(judged), lambda: judge_all(judged))
        self.verdict_ids = tuple(digest for name, digest in made.items() if name.startswith("verdict"))
        self.evidence_ids = tuple(digest for name, digest in made.items() if name.startswith("evidence"))
        self.waiver_ids = pass_gates(self.walk, self.blueprint.name, self.package_id, self.verdict_ids)

    def register(self) -> None:
        """Let the versions of its features mean what they mean here."""
        where, line = self.walk.where, self.walk.line

        def work() -> dict[str, Digest]:
            register(where, self.blueprint, by=line.by, at=where.clock(), fence=self.walk.fence)
            record = registration(self.blueprint, self.package_id)
            kept = self.shelf.keep(record, subject=record.project, by=line.by, at=where.clock(), fence=self.walk.fence)
            return {"registration": kept}

        self.walk.step("register", {"blueprint": self.blueprint_id, "package": self.package_id}, work)

    def release(self) -> Digest:
        """Sign what was proven."""
        line = self.walk.line
        consumed = {
            "package": self.package_id,
            "verdicts": digest_of(list(self.verdict_ids)),
            "commit": line.commit,
            "dirty": str(line.dirty),
            **({"waivers": digest_of(list(self.waiver_ids))} if self.waiver_ids else {}),
            # Under another key the same is stated anew.
            "key": signs_with(self.walk.where),
        }

        def work() -> dict[str, Digest]:
            now, endpoint = self.walk.where.clock(), self.blueprint.name
            ensure_endpoint(self.walk.where, endpoint, by=line.by)
            # Both as they were given, if this walk was killed after that: it then makes the very same release.
            name = f"{line.id} {consumed['key']}"
            number, at = self.shelf.number_for(name, endpoint, by=line.by, at=now, fence=self.walk.fence)
            release = Release(
                endpoint=endpoint,
                number=number,
                package=self.package_id,
                training_run=self.run_made["run"],
                evidence=self.evidence_ids,
                verdicts=self.verdict_ids,
                waivers=self.waiver_ids,
                commit=line.commit,
                dirty=line.dirty,
                line=line.id,
                by=line.by,
                at=at,
            )
            return {"release": self.shelf.keep_release(release, fence=self.walk.fence, now=now)}

        return self.walk.step("release", consumed, work)["release"]

    def rollout(self, release: Digest) -> None:
        """Put the release live, and tell the endpoint's workers."""
        where, line, endpoint = self.walk.where, self.walk.line, self.blueprint.name

        def work() -> dict[str, Digest]:
            number = self.shelf.get(Release, release).number
            reason = f"v{number} passed its gates"

            def decide(plan: TrafficPlan | None) -> TrafficPlan:
                if plan is not None and plan.live == release:
                    return plan  # moved by this step before a crash
                if (plan.live if plan else None) != self.rival:
                    msg = f"Another release went live on {endpoint} while this one was being judged"
                    raise Conflict(msg, way_out="Ship again: it is then judged against that one.")
                refuse_if_shut(where, self.shelf.get(Release, release))
                return go_live(plan, endpoint=endpoint, release=release, reason=reason, by=line.by, at=where.clock())

            found = deliver(where, endpoint, decide, by=line.by, fence=self.walk.fence)
            said = "; ".join(found.errors) or f"{len(found.acks)} worker obeys"
            self.walk.tell(Told(station="rollout", state="going", share=1, text=said))
            return {"plan": found.plan_id}

        self.walk.step("rollout", {"release": release, "walk": line.id}, work)

    def _run_code(self, kind: str, arguments: dict[str, object], scratch: Path, result: type[T]) -> T:
        """Run a child that imports the project's code, and refuse its result if that was not the code of this walk."""
        self._check_code()
        found = run_child(self._job(kind, arguments), scratch, result)
        self._check_code()
        return found

    def _check_code(self) -> None:
        line = self.walk.line
        found = look(Path(line.folder))
        if (found.code, bool(found.changed)) != (line.code, line.dirty):
            msg = f"{line.folder} was changed while it was being shipped; nothing of it was used"
            hint = "Ship again: a new walk begins, and finds all that has not changed."
            raise Conflict(msg, expected=f"code {short(line.code)}", found=short(found.code), way_out=hint)

    def _job(self, kind: str, arguments: dict[str, object] | None = None) -> Job:
        return Job(kind=kind, folder=self.walk.line.folder, arguments=arguments or {})

    def _kinds(self, source: str, digest: Digest) -> None:
        self.schemas[source] = msgspec.json.decode(self.shelf.blobs.get(digest), type=dict[str, FieldKind | None])

    def _source_files(self, source: str) -> list[tuple[str, datetime | None]]:
        """Give the files of a snapshot's rows, fetched and verified, each with the floor of its available times."""
        digest, scratch = self.taken[source]
        spec = self.blueprint.source(source)
        return fetch_rows(self.walk.where, spec, self.shelf.get(Snapshot, digest), scratch / "kept")

    def _gone(self, source: str) -> str:
        return fetch_gone(self.walk.where, self.readings[source], self.taken[source][1] / "kept")

    def _rows_of(self, part: str) -> Path:
        found = self.shelf.get(TrainingSet, self.set_id)
        files = found.train_files if part == "train" else found.test_files
        return self._fetched(files[0].digest, self.walk.scratch / "features" / f"{part}.parquet")

    def _fetched(self, digest: Digest, path: Path) -> Path:
        """Fetch a blob to where a child can read it; always: after a crash a scratch file is not to be trusted."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.shelf.blobs.fetch(digest, path)
        return path

    def _source_rows(self) -> dict[str, object]:
        rows = {
            one.name: SourceRows(
                spec=one,
                files=self._source_files(one.name),
                quarantine=quarantines(self.blueprint, one.name),
                gone=self._gone(one.name),
            )
            for one in self.blueprint.sources
        }
        return {name: msgspec.to_builtins(one) for name, one in rows.items()}

    def _contract(self) -> Contract:
        clocked = {lookup.source for lookup in self.bound.lookups if lookup.clocked}
        clocked |= {window.source for window in self.bound.windows}
        return Contract(
            request=self.blueprint.request,
            features=self.bound,
            sources=tuple(spec for spec in self.blueprint.sources if spec.name in clocked),
            vocabulary=self.shelf.get(TrainingSet, self.set_id).vocabulary,
            outcome=self.blueprint.outcome,
            guards=guards(self.blueprint),
            task=self.blueprint.model.task,
            threshold=self.blueprint.model.threshold,
        )

    def _live(self) -> tuple[Digest, Release] | None:
        plan = current_plan(self.walk.where, self.blueprint.name)
        return (plan.live, self.shelf.get(Release, plan.live)) if plan else None
