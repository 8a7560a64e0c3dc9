"""Wrote the records beside this file, when 0.1 was made: one document of each kind, every field with a value.

Not run again: what an earlier release wrote stays as it is. `RECORDS` says what the documents mean.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from lockgate.kernel.canonical import Record, canonical, digest_of, sha256
from lockgate.kernel.verdicts import Verdict
from lockgate.project.blueprint import Blueprint
from lockgate.records.check import CheckReport, ColumnProfile, Profile, Rule, RuleResult, Stage
from lockgate.records.features import (
    Aggregate,
    Code,
    FeatureDefinition,
    FeatureNote,
    FeatureSet,
    FeatureSpec,
    Field,
    FieldKind,
    Input,
    InputKind,
    Lookup,
    LookupColumn,
    ModelColumn,
    OutcomeSpec,
    RequestSpec,
    TrainingSet,
    Unseen,
    Window,
    WindowColumn,
)
from lockgate.records.line import Line, LineEnd, Step, Sweep, Swept, Tree
from lockgate.records.monitoring import (
    DailyMetric,
    ParityCause,
    ParityClass,
    ParityExample,
    ParityLine,
    ParityReason,
    ParityReport,
)
from lockgate.records.package import Contract, Evidence, Package, PackageFile, Reference
from lockgate.records.registration import RegisteredFeature, Registration
from lockgate.records.release import KeyChange, KeyDeed, Release
from lockgate.records.rollout import Endpoint, Experiment, LiveLevel, Region, Share, TrafficPlan
from lockgate.records.snapshot import Reading, ReferencedFile, RowFile, Snapshot, SnapshotColumn, TableReference
from lockgate.records.source import Reader, ReaderKind, SourceSpec
from lockgate.records.training import (
    Artifact,
    Curve,
    Curves,
    Environment,
    Imported,
    Machine,
    MetricSummary,
    ModelSpec,
    RunState,
    TrainingRun,
)
from lockgate.records.verdict import GateSpec, GateVerdict, Judgement
from lockgate.records.waiver import Waiver

AT = datetime(2013, 3, 1, 13, 15, 0, 250_000, tzinfo=UTC)
A, B, C = (sha256(letter) for letter in (b"a", b"b", b"c"))
DAY = timedelta(days=1)

MACHINE = Machine(processor="x86", cores=2, memory=8_000_000_000, platform="Linux x86_64")
SOURCE = SourceSpec(
    name="weather",
    reader=Reader(kind=ReaderKind.CSV, where="weather/*.csv", options={"timezone": "America/New_York"}),
    key="origin",
    event_time="hour",
    available_delay=timedelta(minutes=50),
    stale_after=timedelta(hours=3),
    ingest_lag=timedelta(hours=1),
    event_id="observation",
)
RULE = Rule(
    source="weather",
    stage=Stage.KEPT,
    kind="between",
    column="wind",
    more=("gust",),
    parameters={"low": 0, "high": 150.5},
    warn=0.0005,
    at_most=0.001,
    quarantine=True,
)
REQUEST = RequestSpec(
    name="Flight",
    key="flight_id",
    asked_at="departure",
    history="schedule",
    lateness=7 * DAY,
    fields=(
        Field(name="flight_id", kind=FieldKind.TEXT),
        Field(name="departure", kind=FieldKind.TIME),
        Field(name="origin", kind=FieldKind.CATEGORY, unseen=Unseen.REFUSE),
        Field(name="distance", kind=FieldKind.FLOAT, nullable=True, low=10.0, high=6000.0),
    ),
)
CODE = Code(name="hour", source="def hour(departure):\n    return departure.hour + N", literals={"N": "1"})
FEATURES = FeatureSet(
    timezone="America/New_York",
    lookups=(
        Lookup(
            source="weather",
            by="origin",
            columns=(LookupColumn(name="wind", type=FieldKind.FLOAT), LookupColumn(name="rain")),
            clocked=True,
            stale_after=timedelta(hours=3),
        ),
    ),
    windows=(
        Window(
            name="gusts",
            source="weather",
            by="origin",
            value="wind",
            value_type=FieldKind.FLOAT,
            scale=1,
            columns=(
                WindowColumn(
                    name="gusts_max_3h", aggregate=Aggregate.MAX, span=timedelta(hours=3), type=FieldKind.FLOAT
                ),
            ),
        ),
    ),
    features=(
        FeatureSpec(
            name="hour",
            version=2,
            inputs=(Input(parameter="departure", kind=InputKind.FIELD, name="departure"),),
            returns=FieldKind.INT,
            code=CODE,
        ),
    ),
    columns=(
        ModelColumn(name="hour", kind=InputKind.FEATURE, origin="hour", type=FieldKind.INT),
        ModelColumn(name="weather_wind", kind=InputKind.LOOKUP, origin="wind", source="weather", type=None),
    ),
)
OUTCOME = OutcomeSpec(
    name="late",
    source="arrivals",
    inputs=("delay",),
    returns=FieldKind.BOOL,
    final_after=DAY,
    never="exclude",
    code=Code(name="late", source="def late(delay):\n    return delay > 15"),
)
MODEL = ModelSpec(
    name="fit",
    function="project:fit",
    parameters={"rate": 0.08, "trees": 100},
    task="binary",
    threshold=0.5,
    test_seconds=1_209_600.0,
    runtime="gtil",
)
GATE = GateSpec(kind="metric", parameters={"metric": "roc_auc", "at_least": 0.6, "by": "origin", "min_rows": 200})
ROWS = RowFile(digest=B, bytes=2048, rows=100, not_before=AT)

RECORDS: tuple[Record, ...] = (
    SOURCE,
    Snapshot(
        source="weather",
        clock=A,
        columns=(SnapshotColumn(name="wind", type="Float64", nulls=3),),
        rows=100,
        files=(ROWS,),
        fingerprint="polars-2.0.0:00000000deadbeef",
        first_event=AT - DAY,
        last_event=AT,
        known_until=AT + timedelta(minutes=50),
        parents=(C,),
        reference=TableReference(
            uri="s3://lake/weather",
            version=7,
            files=(ReferencedFile(path="part-0.parquet", bytes=2048, not_before=AT, seen_after=AT - DAY),),
            known_by=AT,
        ),
    ),
    Reading(
        project="flight-delay",
        source="weather",
        snapshot=A,
        spec=B,
        taken_as_of=AT,
        after=C,
        begins="its columns changed: rain is new",
        new=10,
        backfilled=2,
        gone=1,
        held_back=3,
        gone_rows=B,
        state={"files": {"a.csv": "10 bytes"}, "version": 7},
        line="line-1",
    ),
    RULE,
    Profile(
        source="weather",
        snapshot=A,
        rows=100,
        columns=(
            ColumnProfile(
                name="wind",
                type="Float64",
                nulls=1,
                nans=2,
                low=0.0,
                high=42.5,
                mean=10.25,
                std=4.5,
                quantiles=(0.0, 10.0, 42.5),
                edges=(5.0, 10.0),
                counts=(30, 30, 37),
                values={"calm": 3},
            ),
        ),
    ),
    CheckReport(
        stage=Stage.KEPT,
        source="weather",
        on=A,
        rows_in=103,
        rows=100,
        left_out={"never got an outcome": 3},
        quarantine=RowFile(digest=C, bytes=512, rows=2),
        columns=(ColumnProfile(name="origin", type="String", nulls=0),),
        results=(
            RuleResult(
                rule="between(wind)",
                columns=("wind",),
                condition="0 ≤ wind ≤ 150.5",
                rows=100,
                failures=1,
                measured=0.01,
                warn=0.0005,
                at_most=0.001,
                verdict=Verdict.FAIL,
                examples=({"wind": 1048.4, "origin": "EWR", "rain": None},),
                note="",
            ),
            RuleResult(
                rule="missing(x)",
                condition="x is there",
                rows=None,
                failures=0,
                at_most=0.0,
                verdict=Verdict.FAIL,
                note="it did not run: there is no column x",
            ),
        ),
        verdict=Verdict.FAIL,
    ),
    REQUEST,
    FEATURES,
    OUTCOME,
    TrainingSet(
        snapshots={"weather": A, "schedule": B},
        features=A,
        outcome=B,
        known_until=AT,
        test_from=AT - 14 * DAY,
        first_asked=AT - 60 * DAY,
        last_asked=AT - DAY,
        train_rows=900,
        test_rows=100,
        left_out={"outcome not final yet": 10, "never got an outcome": 3},
        train_files=(ROWS,),
        test_files=(ROWS,),
        vocabulary={"origin": ("EWR", "JFK", "Zürich")},
    ),
    MODEL,
    Environment(python="3.11.7", packages={"lockgate": "0.1.0", "numpy": "2.3.0"}),
    Imported(
        kind="mlflow/lightgbm",
        name="churn-model",
        files={"MLmodel": A, "model.lgb": B},
        example=C,
        said={"mlflow_version": "3.17.2"},
        asked={"threshold": 0.5},
    ),
    TrainingRun(
        project="flight-delay",
        model=A,
        training_set=B,
        code=C,
        commit="0123456789abcdef0123456789abcdef01234567",
        dirty=True,
        environment=A,
        parameters={"trees": 100, "learning_rate": 1.0, "bins": None, "early": False},
        whole_floats=("/learning_rate",),
        state=RunState.FAILED,
        error="The fitting function fit failed (found ValueError: no rows).",
        fitted="HistGradientBoostingClassifier (scikit-learn 1.8.0)",
        metrics={"loss": MetricSummary(points=3, last="NaN", step=2, least=0.25, greatest=0.5)},
        curves=A,
        artifacts={"plots/roc.svg": Artifact(digest=B, size=1234)},
        tags={"team": "operations"},
        output=B,
        machine=MACHINE,
        line="line-1",
        by="ada",
        began_at=AT,
        seconds=1.5,
        cpu_seconds=2.75,
        peak_memory=200_000_000,
        imported=C,
    ),
    Curves(
        metrics={"loss": Curve(steps=(0, 1, 2), values=(0.5, 0.25, "NaN"), seconds=(0.125, 0.25, 0.375))},
    ),
    Contract(
        request=REQUEST,
        features=FEATURES,
        sources=(SOURCE,),
        vocabulary={"origin": ("EWR", "JFK")},
        outcome=OUTCOME,
        guards=(RULE,),
        task="binary",
        threshold=0.5,
    ),
    Reference(x=((1.5, None), (0.1, -2.0)), scores=(0.25, 0.7500000000000001), tolerance=1e-9),
    Package(
        project="flight-delay",
        format="skops/1",
        runtime="gtil-float32",
        files=(
            PackageFile(path="contract.json", digest=A, bytes=10),
            PackageFile(path="model.bin", digest=B, bytes=20),
        ),
        training_set=A,
        code=B,
        environment=C,
        parameters={"trees": 100, "rate": 0.08},
        imported=A,
    ),
    Evidence(
        package=A,
        kind="metrics",
        on=B,
        at=AT,
        machine=MACHINE,
        values={"rows": 100, "metrics": {"roc_auc": 0.75, "brier": None}, "slices": {}},
    ),
    GATE,
    GateVerdict(
        gate="metric roc_auc by origin",
        package=A,
        verdict=Verdict.INCONCLUSIVE,
        expected="roc_auc ≥ 0.6 for each origin",
        found="no value with enough rows",
        note="too few rows to judge: EWR",
        evidence=(B, C),
    ),
    Judgement(line="line-1", endpoint="flight-delay", package=A, verdicts=(B, C)),
    Waiver(
        endpoint="flight-delay",
        package=A,
        gate="metric roc_auc by origin",
        reason="a pilot at one gate",
        until=AT + 7 * DAY,
        by="ada",
        at=AT,
    ),
    KeyChange(
        installation="3f1c09aa52e7b6d4",
        key="5f" * 32,
        public_key="-----BEGIN PUBLIC KEY-----\n",
        deed=KeyDeed.TRUSTED,
        name="ada",
        by="root",
        at=AT,
    ),
    Release(
        endpoint="flight-delay",
        number=3,
        package=A,
        training_run=B,
        evidence=(A, B),
        verdicts=(C,),
        waivers=(B,),
        commit="0123456789abcdef0123456789abcdef01234567",
        dirty=True,
        line="line-1",
        by="ada",
        at=AT,
    ),
    Endpoint(name="flight-delay", replay=True, by="ada", at=AT),
    TrafficPlan(
        endpoint="flight-delay",
        number=4,
        live=A,
        level=LiveLevel.PROVISIONAL,
        previous=B,
        canaries=(Share(release=C, share=0.05),),
        shadows=(Share(release=C, share=0.2),),
        experiments=(
            Experiment(
                name="warm", arms=(Share(release=A, share=0.5), Share(release=B, share=0.5)), sticky_by="tail_number"
            ),
        ),
        regions={"eu": Region(live=B, canaries=(Share(release=C, share=0.1),))},
        reason="v3 passed its gates",
        by="ada",
        at=AT,
    ),
    DailyMetric(
        endpoint="flight-delay",
        version=3,
        day="2013-03-17",
        metric="roc_auc",
        predictions=1000,
        matured=0.5,
        n=480,
        value=0.75,
        naive_n=900,
        naive_value=None,
    ),
    ParityReport(
        endpoint="flight-delay",
        since=AT,
        until=AT,
        predictions=3,
        covered=2,
        left_out={"its release is not known here": 1},
        sources={"weather": AT},
        lines=(
            ParityLine(
                version=3,
                part=ParityClass.DATA,
                column="weather.wind_speed",
                compared=2,
                exact=1,
                within=0,
                mismatched=1,
                served_null=0,
                expected_null=1,
                not_covered=1,
                tolerance=0.0,
                first_seen=AT,
                worst=ParityExample(
                    prediction="0195a1b2-c3d4-7000-8000-0123456789ab",
                    asked_at=AT,
                    served=1.5,
                    expected=None,
                    served_event=AT,
                    served_available=AT,
                ),
                reasons=(ParityReason(cause=ParityCause.FLOAT32, explains=1, of=1, note="digits were lost"),),
            ),
        ),
        verdict=Verdict.FAIL,
    ),
    Tree(files={"project.py": A, "tables.py": B}),
    Blueprint(
        name="flight-delay",
        owner="operations",
        timezone="America/New_York",
        sources=(SOURCE,),
        rules=(RULE,),
        request=REQUEST,
        features=FEATURES,
        outcome=OUTCOME,
        feature_notes=(
            FeatureNote(feature="gusty", registered="gusty", owner="operations", description="Whether it blows."),
        ),
        model=MODEL,
        gates=(GATE,),
    ),
    FeatureDefinition(
        name="flight-delay/gusty",
        version=2,
        inputs=(Input(parameter="wind", kind=InputKind.LOOKUP, name="wind", source="weather"),),
        reads={"lookup weather": A},
        returns=FieldKind.BOOL,
        code=Code(name="gusty", source="def gusty(wind):\n    return wind > LIMIT", literals={"LIMIT": "15"}),
    ),
    Registration(
        project="flight-delay",
        package=A,
        features=(
            RegisteredFeature(
                name="flight-delay/gusty",
                version=2,
                definition=B,
                owner="operations",
                description="Whether it blows.",
                columns=("weather.wind",),
            ),
        ),
    ),
    Step(
        key=A,
        station="training",
        consumed={"training_set": A, "test": "14 d"},
        produced={"run": B},
        line="line-1",
        began_at=AT,
        seconds=2.5,
    ),
    Line(
        id="line-1",
        project="flight-delay",
        folder="examples/flight_delay",
        commit="0123456789abcdef0123456789abcdef01234567",
        dirty=False,
        code=A,
        environment=B,
        parameters={"as_of": "2013-03-01T00:00:00Z", "rollout": True},
        attended=True,
        installation="3f1c09aa52e7b6d4",
        by="ada",
        at=AT,
    ),
    LineEnd(line="line-1", result="released", reason="v3 passed its gates", release=A, at=AT),
    Swept(step=A, station="fit", by="ada", at=AT),
    Sweep(kept_seconds=7776000.5, kept_releases=3, blobs=12, bytes=340_000, steps=2, by="ada", at=AT),
)


def write(folder: Path) -> None:
    digests = {}
    for record in RECORDS:
        name = str(type(record).__struct_config__.tag).partition("/")[0]
        (folder / f"{name}.json").write_bytes(canonical(record))
        digests[name] = digest_of(record)
    (folder / "digests.txt").write_text("".join(f"{digest} {name}\n" for name, digest in sorted(digests.items())))
