"""The flights of New York asked in this process: the example's own project, package and endpoint, over real traffic.

flights = Flights(tmp_path)
flights.fly(2_000)
report = flights.parity()
"""

import asyncio
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import polars as pl

from lockgate.features.offline import available
from lockgate.kernel.canonical import Digest, canonical, digest_of, sha256
from lockgate.kernel.errors import LockgateError
from lockgate.kernel.folders import StateFolder, replace_file
from lockgate.monitoring.parity import Side, compare
from lockgate.monitoring.span import survey
from lockgate.packages.folder import pack
from lockgate.packages.runtime import CONTRACT, MODEL, REFERENCE, encode_seed, encode_table, load_package
from lockgate.packages.signing import make_key, sign, signing_key
from lockgate.predictionlog import reading
from lockgate.project.bind import bind
from lockgate.project.load import function_of, load
from lockgate.records.monitoring import ParityClass, ParityReport
from lockgate.records.outcome import Event
from lockgate.records.package import Contract
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
from lockgate.training.assemble import Rows, assemble, seed_rows, table_rows
from lockgate.training.fit import fit
from tests.making.package import put_plan
from tests.making.projects import traceless

EXAMPLE = Path(__file__).parents[2] / "examples" / "flight_delay"
NAME = "flight-delay"
SHIPPED = datetime(2013, 3, 16, 4, tzinfo=UTC)

_US = timedelta(microseconds=1)


class _Packed(msgspec.Struct, frozen=True):
    """A package of the example, as files, and the rows of the whole year."""

    files: dict[str, bytes]
    manifest: dict[str, Any]
    year: Rows


@cache
def packed(trees: int = 20) -> _Packed:
    """Train the example's model on what was known in the middle of March."""
    with traceless(), TemporaryDirectory() as folder:
        blueprint = load(EXAMPLE).blueprint
        tables = sys.modules["tables"]
        year = {spec.name: (spec, _utc(getattr(tables, spec.name)())) for spec in blueprint.sources}
        rows = {name: (spec, _known(spec, frame)) for name, (spec, frame) in year.items()}
        schemas = {
            name: {column: kind_of_type(kind) for column, kind in frame.schema.items()}
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
            progress=lambda _: None,
        )
        train, tested = (pl.read_parquet(Path(folder) / f"{name}.parquet") for name in ("train", "test"))
        spec = msgspec.structs.replace(blueprint.model, parameters={**blueprint.model.parameters, "trees": trees})
        fitted = fit(spec, features, function_of(EXAMPLE, spec.function), train, tested)
    clocked = {lookup.source for lookup in features.lookups if lookup.clocked}
    contract = Contract(
        request=blueprint.request,
        features=features,
        sources=tuple(one for one in blueprint.sources if one.name in clocked),
        vocabulary=found.vocabulary,
        outcome=blueprint.outcome,
        task=blueprint.model.task,
        threshold=blueprint.model.threshold,
    )
    files = {CONTRACT: canonical(contract), MODEL: fitted.model, REFERENCE: canonical(fitted.reference)}
    for lookup in features.lookups:
        source, frame = rows[lookup.source]
        path, data = (
            encode_seed(lookup.source, seed_rows(lookup, source, frame))
            if lookup.clocked
            else encode_table(lookup.source, table_rows(lookup, source, frame))
        )
        files[path] = data
    nothing = dict.fromkeys(("training_set", "code", "environment"), sha256(b""))
    manifest = {"project": NAME, "format": fitted.format, "parameters": spec.parameters, **nothing}
    return _Packed(files, manifest, year)


def _utc(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        pl.col(name).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
        for name, kind in frame.schema.items()
        if isinstance(kind, pl.Datetime)
    )


def _known(spec: SourceSpec, frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(available(spec) <= SHIPPED) if spec.clocked else frame


class Flights:
    """An endpoint that is asked about real flights, in the order in which things happened.

    Args:
        root: a folder for its state.
        trees: of the model.
    """

    def __init__(self, root: Path, trees: int = 20) -> None:
        self.state = StateFolder(root)
        self.year = packed(trees).year
        self.log = self.state.log / NAME
        self.version = load_version(self.state, NAME, self._release(trees))
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

    def fly(self, count: int, *, tell: Callable[[Event], Event | None] = lambda event: event) -> None:
        """Ask about the next flights, telling the weather as it becomes known; `tell` may change or drop a row."""
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
        spec, frame = self.year["weather"]
        known = frame.with_columns(available(spec).alias("@known"))
        rows = known.filter(pl.col("@known").is_between(hour, hour + timedelta(hours=1), closed="left"))
        names = [column for column in frame.columns if column not in {spec.key, spec.event_time}]
        events = [
            Event(
                "weather",
                row["origin"],
                micros(row["hour"]),
                micros(row["@known"]),
                {name: row[name] for name in names},
                micros(self._clock()),
                "tests",
            )
            for row in rows.iter_rows(named=True)
        ]
        told = [one for event in events if (one := tell(event)) is not None]
        if told:
            endpoint.post(told)

    def _due(self, hour: datetime) -> pl.DataFrame:
        frame = self.year["schedule"][1]
        due = pl.col("scheduled_departure").is_between(hour, hour + timedelta(hours=1), closed="left")
        return frame.filter(due).sort("scheduled_departure", "flight_id")

    def parity(self, classes: frozenset[ParityClass] = frozenset(ParityClass)) -> ParityReport:
        """Compare what was served with what the year's rows give."""
        return compare(
            NAME,
            reading.predictions(self.log),
            {bytes.fromhex(self.version.digest.removeprefix("sha256:")): self.side()},
            span=survey(self.log).span,
            events=lambda: reading.events(self.log),
            classes=classes,
        )

    def side(self) -> Side:
        """Give what its predictions are held against: the package as it was released, and the rows of the year."""
        release = self.version.release
        package = load_package(self.state.package(release.package), release.package)
        end = micros(datetime(2014, 2, 1, tzinfo=UTC))
        wanted = {lookup.source for lookup in package.contract.features.lookups}
        rows = {name: rows for name, rows in self.year.items() if name in wanted}
        return Side(version=1, package=package, rows=rows, until=dict.fromkeys(rows, end))


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
