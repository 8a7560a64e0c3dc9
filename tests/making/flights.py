"""The flights of New York asked in this process: the example's own project, package and endpoint, over real traffic.

flights = Flights(tmp_path)
flights.fly(2_000)
report = flights.parity()

What is computed by threads gets one, as in a worker: for rows as few as these they only wait for each other.
"""

import asyncio
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import polars as pl
from threadpoolctl import threadpool_limits

from lockgate.engine.checking import Watch
from lockgate.features.known import AVAILABLE, stamped
from lockgate.features.store import MemoryStore
from lockgate.kernel.canonical import Digest, canonical, digest_of, sha256
from lockgate.kernel.errors import LockgateError
from lockgate.kernel.folders import StateFolder, replace_file
from lockgate.monitoring.parity import Side, compare
from lockgate.monitoring.span import survey
from lockgate.packages.folder import PackageReader, pack
from lockgate.packages.runtime import CONTRACT, MODEL, REFERENCE, load_package, read_seeds
from lockgate.packages.signing import make_key, sign, signing_key
from lockgate.predictionlog import reading
from lockgate.project.bind import bind
from lockgate.project.load import function_of, load
from lockgate.records.monitoring import ParityClass, ParityReport
from lockgate.records.outcome import Event
from lockgate.records.package import Contract
from lockgate.records.prediction import Prediction
from lockgate.records.release import Release
from lockgate.records.rollout import Endpoint as EndpointSpec
from lockgate.records.rollout import TrafficPlan
from lockgate.records.source import SourceSpec
from lockgate.serving.endpoint import Endpoint
from lockgate.serving.loading import load_version
from lockgate.serving.metrics import Tally
from lockgate.serving.moments import micros
from lockgate.serving.plane import Caller
from lockgate.serving.surroundings import Surroundings
from lockgate.snapshots.take import write_rows
from lockgate.sources.read import kind_of_type
from lockgate.training.assemble import Rows, assemble
from lockgate.training.fit import fit
from lockgate.training.seeds import travelling
from tests.making.online import MACHINE, prepare
from tests.making.package import put_plan
from tests.making.projects import traceless

EXAMPLE = Path(__file__).parents[2] / "examples" / "flight_delay"
NAME = "flight-delay"
SHIPPED = datetime(2013, 3, 16, 4, tzinfo=UTC)

LATER = [timedelta(minutes=minutes) for minutes in (1, 7, 13, 29, 41, 59, 90)]
"""How much later each flight is asked about once more: other rows are known then, other features come of it."""


class _Packed(msgspec.Struct, frozen=True):
    """A package of the example, as files, and the rows of the whole year."""

    files: dict[str, bytes]
    manifest: dict[str, Any]
    year: Rows


@contextmanager
def _on_one_thread() -> Iterator[None]:
    with threadpool_limits(limits=1):
        yield


@cache
@_on_one_thread()
def packed(trees: int = 20) -> _Packed:
    """Train the example's model on what was known in the middle of March."""
    with traceless(), TemporaryDirectory() as folder:
        blueprint = load(EXAMPLE).blueprint
        tables = sys.modules["tables"]
        year = {spec.name: (spec, _clocked(spec, getattr(tables, spec.name)())) for spec in blueprint.sources}
        rows = {name: (spec, _known(spec, frame, SHIPPED)) for name, (spec, frame) in year.items()}
        schemas = {
            name: {column: kind_of_type(kind) for column, kind in frame.drop(AVAILABLE, strict=False).schema.items()}
            for name, (_, frame) in rows.items()
        }
        features = bind(blueprint, schemas, {})
        found = assemble(
            request=blueprint.request,
            features=features,
            outcome=blueprint.outcome,
            test=timedelta(seconds=blueprint.model.test_seconds),
            rows=rows,
            snapshots={name: sha256(name.encode()) for name in rows},
            folder=Path(folder),
            write=write_rows,
            watch=Watch(blueprint.rules),
            progress=lambda _: None,
        )
        train, tested = (pl.read_parquet(Path(folder) / f"{name}.parquet") for name in ("train", "test"))
        spec = msgspec.structs.replace(blueprint.model, parameters={**blueprint.model.parameters, "trees": trees})
        fitted = fit(spec, features, function_of(EXAMPLE, spec.function), train, tested)
    clocked = {lookup.source for lookup in features.lookups if lookup.clocked}
    clocked |= {window.source for window in features.windows}
    contract = Contract(
        request=blueprint.request,
        features=features,
        sources=tuple(one for one in blueprint.sources if one.name in clocked),
        vocabulary=found.vocabulary,
        outcome=blueprint.outcome,
        task=blueprint.model.task,
        threshold=blueprint.model.threshold,
    )
    files = {CONTRACT: canonical(contract), MODEL: fitted.model.data, REFERENCE: canonical(fitted.reference)}
    files |= travelling(blueprint.request, features, rows, SHIPPED)
    nothing = dict.fromkeys(("training_set", "code", "environment"), sha256(b""))
    manifest = {"project": NAME, "format": fitted.format, "parameters": spec.parameters, **nothing}
    return _Packed(files, manifest, year)


def _clocked(spec: SourceSpec, frame: pl.DataFrame) -> pl.DataFrame:
    """Give a source's rows as a first snapshot of the year has them."""
    rows = stamped(spec, frame.lazy()).collect()
    return rows.drop_nulls(AVAILABLE) if spec.clocked else rows


def _known(spec: SourceSpec, frame: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    return frame.filter(pl.col(AVAILABLE) <= moment) if spec.clocked else frame


class Flights:
    """An endpoint that is asked about real flights, in the order in which things happened.

    Args:
        root: a folder for its state.
        trees: of the model.
        again: how much later each flight is asked about once more, as if it left then.
    """

    @_on_one_thread()
    def __init__(self, root: Path, trees: int = 20, again: Sequence[timedelta] = ()) -> None:
        self.state = StateFolder(root)
        self._shifts = (timedelta(), *again)
        self.year = packed(trees).year
        self.log = self.state.log / NAME
        digest, self._store = self._release(trees), MemoryStore()
        self._feed = prepare(self.state, NAME, self._store)
        self.version = load_version(self.state, NAME, digest, self._store, MACHINE)
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self._moment = SHIPPED

    def _release(self, trees: int) -> Digest:
        content = packed(trees)
        draft = self.state.root / "work" / "package"
        digest, _ = pack(draft, content.files, **content.manifest)
        self.state.package(digest).parent.mkdir(parents=True, exist_ok=True)
        draft.rename(self.state.package(digest))
        make_key(self.state.signing_key, self.state.trust)
        release = Release(
            endpoint=NAME,
            number=1,
            package=digest,
            training_run=sha256(b""),
            evidence=(),
            verdicts=(),
            commit="0" * 40,
            dirty=False,
            line="line-1",
            by="tests",
            at=SHIPPED,
        )
        found = digest_of(release)
        replace_file(self.state.release(NAME, found), sign(release, signing_key(self.state.signing_key)))
        put_plan(self.state, found, name=NAME)
        return found

    @_on_one_thread()
    def fly(self, count: int, *, tell: Callable[[Event], Event | None] = lambda event: event) -> None:
        """Ask about the next flights, telling rows as they become known; `tell` may change or drop one."""
        asyncio.run(self._fly(count, tell))

    async def _fly(self, count: int, tell: Callable[[Event], Event | None]) -> None:
        around = Surroundings(self.state, 0, self._clock, self._stopwatch, Tally())
        spec = EndpointSpec(name=NAME, replay=True, by="tests", at=SHIPPED)
        plan = msgspec.json.decode(self.state.plan(NAME).read_bytes(), type=TrafficPlan)
        endpoint = Endpoint(spec, around, plan, {self.version.digest: self.version})
        asked = 0
        try:
            while asked < count and self._moment.year == SHIPPED.year:
                hour = self._moment
                self._tell(endpoint, hour, tell)
                due = self._due(hour).head(count - asked)
                asked += due.height
                _ask(endpoint, due)
                await asyncio.sleep(0)
                self._moment = hour + timedelta(hours=1)
        finally:
            endpoint.close()

    def _stopwatch(self) -> float:
        return self.now.timestamp()

    def _clock(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def _tell(self, endpoint: Endpoint, hour: datetime, tell: Callable[[Event], Event | None]) -> None:
        """Post what became known in an hour, and have it taken in as ingest does."""
        told = [
            one
            for name in ("departures", "weather")
            for event in self._events(name, hour)
            if (one := tell(event)) is not None
        ]
        if told:
            endpoint.post(told)
            while self._feed.apply():
                continue

    def _events(self, name: str, hour: datetime) -> list[Event]:
        spec, frame = self.year[name]
        rows = frame.filter(pl.col(AVAILABLE).is_between(hour, hour + timedelta(hours=1), closed="left"))
        series = [one for one in self.version.series if one.source == name]
        wanted = {column for one in series for column in (*one.columns, one.by)} - {spec.key}
        return [
            Event(
                name,
                row[spec.key],
                micros(row[spec.event_time or ""]),
                micros(row[AVAILABLE]),
                {column: row[column] for column in sorted(wanted)},
                micros(self._clock()),
                "tests",
            )
            for row in rows.sort(AVAILABLE, maintain_order=True).iter_rows(named=True)
        ]

    def _due(self, hour: datetime) -> pl.DataFrame:
        frame = self.year["schedule"][1].drop(AVAILABLE)
        leaving = pl.col("scheduled_departure")
        asked = [
            frame.filter((leaving + shift).is_between(hour, hour + timedelta(hours=1), closed="left")).with_columns(
                leaving + shift
            )
            for shift in self._shifts
        ]
        return pl.concat(asked).sort("scheduled_departure", "flight_id")

    @_on_one_thread()
    def parity(
        self,
        predictions: Iterable[Prediction] | None = None,
        *,
        classes: frozenset[ParityClass] = frozenset(ParityClass),
        sides: Mapping[bytes, Side] | None = None,
    ) -> ParityReport:
        """Compare what was served, or said to be, with what the year's rows give."""
        return compare(
            NAME,
            reading.predictions(self.log) if predictions is None else predictions,
            {self.release: self.side()} if sides is None else sides,
            span=survey(self.log).span,
            events=lambda: reading.events(self.log),
            classes=classes,
        )

    @property
    def release(self) -> bytes:
        """The digest of its release, as predictions name it."""
        return bytes.fromhex(self.version.digest.removeprefix("sha256:"))

    def side(self) -> Side:
        """Give what its predictions are held against: the package as it was released, and rows up to a day later."""
        release = self.version.release
        folder = self.state.package(release.package)
        package = load_package(folder, release.package)
        features = package.contract.features
        end = self._moment + timedelta(days=1)
        wanted = {one.source for one in features.lookups} | {one.source for one in features.windows}
        rows = {name: (spec, _known(spec, frame, end)) for name, (spec, frame) in self.year.items() if name in wanted}
        seeds = read_seeds(PackageReader(folder, release.package))
        return Side(
            version=1,
            package=package,
            seeds=frozenset((row.source, row.key, row.event_time) for row in seeds),
            rows=rows,
            until=dict.fromkeys(rows, micros(end)),
        )


def _ask(endpoint: Endpoint, flights: pl.DataFrame) -> None:
    if flights.is_empty():
        return
    rows = [
        {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
        for row in flights.to_dicts()
    ]
    endpoint.plane.submit(msgspec.json.encode({"rows": rows}), Caller("tests"), _no_error)


def _no_error(answer: bytes | LockgateError) -> None:
    assert isinstance(answer, bytes), answer
