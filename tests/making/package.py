"""A small real endpoint on disk: key, trust, grants, a trained model in a signed package, a release, a plan.

made = make_release(state)                          # v1 of flight-delay, live under plan 1
other = make_release(state, number=2, seed=2)       # v2, plan 2, with v1 as previous
"""

import functools
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from lockgate.kernel.access import Grant, Scope, mint
from lockgate.kernel.canonical import Digest, canonical, digest_of, parse, sha256
from lockgate.kernel.folders import StateFolder, replace_file
from lockgate.packages.folder import pack
from lockgate.packages.formats.table import FORMATS
from lockgate.packages.runtime import CONTRACT, MODEL, REFERENCE, SeedRow, encode_seed, encode_table
from lockgate.packages.signing import make_key, sign, signing_key
from lockgate.records.check import Rule
from lockgate.records.features import (
    Aggregate,
    Code,
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
    Unseen,
    Window,
    WindowColumn,
)
from lockgate.records.package import Contract, Reference
from lockgate.records.release import Release
from lockgate.records.rollout import Endpoint, LiveLevel, TrafficPlan
from lockgate.records.source import SourceSpec
from lockgate.records.training import Environment
from tests.making.readers import by_function

NAME = "flight-delay"
START = datetime(2013, 3, 1, 8, tzinfo=UTC)
ORIGINS = ("EWR", "JFK", "LGA")
CARRIERS = ("AA", "B6", "UA")

ENVIRONMENT = Environment(python="3.11.7", packages={"lockgate": "0.1.0", "scikit-learn": "1.8.0"})

_NOTHING = sha256(b"")


class Made(msgspec.Struct, frozen=True):
    """A release that was made."""

    digest: Digest
    release: Release
    plan: TrafficPlan | None


def make_release(
    state: StateFolder,
    *,
    name: str = NAME,
    number: int = 1,
    seed: int = 1,
    replay: bool = True,
    live: bool = True,
    key: str = "keys/release.pem",
    windows: bool = False,
) -> Made:
    """Make a release, and put it live under the next plan.

    Args:
        state: where.
        name: of the endpoint; made if it is not there.
        number: of the release.
        seed: decides the model, and so its answers.
        replay: whether the endpoint, where it is made, takes any event time.
        live: whether a plan is put in force.
        windows: whether it has windows over departures as well; the model does not see them, the log does.
        key: which key signs, a path in the state folder; one of another name is made, but not trusted.
    """
    private = state.root / key
    make_key(private, state.trust if private == state.signing_key else state.root / "strangers")
    package = make_package(state, name, seed, windows=windows)
    release = Release(
        endpoint=name,
        number=number,
        package=package,
        training_run=_NOTHING,
        evidence=(),
        verdicts=(),
        commit="0" * 40,
        dirty=False,
        line="line-1",
        by="tests",
        at=START,
    )
    digest = digest_of(release)
    replace_file(state.release(name, digest), sign(release, signing_key(private)))
    spec = state.endpoint(name) / "endpoint.json"
    if not spec.exists():
        replace_file(spec, canonical(Endpoint(name=name, replay=replay, by="tests", at=START)))
    return Made(digest, release, put_plan(state, digest, name=name) if live else None)


def put_plan(state: StateFolder, live: Digest, *, name: str = NAME, **more: object) -> TrafficPlan:
    """Put a plan on disk: the next one, with what was live as previous, unless told otherwise."""
    path = state.plan(name)
    before = parse(path.read_bytes(), TrafficPlan) if path.exists() else None
    fields: dict[str, Any] = {
        "endpoint": name,
        "number": before.number + 1 if before else 1,
        "live": live,
        "previous": before.live if before and before.live != live else None,
        "level": LiveLevel.PROVISIONAL,
        "reason": "a test",
        "by": "tests",
        "at": START,
    }
    plan = TrafficPlan(**fields | more)
    replace_file(path, canonical(plan))
    return plan


def make_token(state: StateFolder, *scopes: Scope, name: str = "tester", expires_at: datetime | None = None) -> str:
    """Add a grant, and give its token."""
    grants = parse(state.grants.read_bytes(), list[Grant]) if state.grants.exists() else []
    token, grant = mint(name, frozenset(scopes), expires_at)
    replace_file(state.grants, canonical([*grants, grant]))
    return token


def flight(number: int = 0, **changes: object) -> dict[str, Any]:
    """Give a row of a request."""
    row = {
        "flight_id": f"UA-{number}",
        "scheduled_departure": (START - timedelta(minutes=number % 1000)).isoformat(),
        "origin": ORIGINS[number % 3],
        "carrier": CARRIERS[number % 3],
        "tail_number": f"N{number % 5}",
        "distance": 100.0 + number * 37 % 5000,
        "seats": 150,
    }
    return row | changes


def make_package(state: StateFolder, name: str, seed: int, *, windows: bool = False) -> Digest:
    """Train, pack and install a package; give its id."""
    files, manifest = _content(name, seed, windows=windows)
    draft = state.root / "work" / f"package-{name}-{seed}-{windows}"
    digest, _ = pack(draft, files, **manifest)
    folder = state.package(digest)
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft.rename(folder)
    return digest


@functools.cache
def _content(name: str, seed: int, *, windows: bool) -> tuple[dict[str, bytes], dict[str, Any]]:
    model, reference = trained(seed)
    clock = int(START.timestamp()) * 1_000_000
    seeds = [SeedRow(origin, clock - 3_600_000_000, clock - 1_800_000_000, {"wind_speed": 5.0}) for origin in ORIGINS]
    files = dict(
        [
            (CONTRACT, canonical(with_windows() if windows else contract())),
            (MODEL, model),
            (REFERENCE, canonical(reference)),
            encode_table("planes", [(f"N{i}", (1990 + i,)) for i in range(4)]),
            encode_seed("weather", seeds),
        ]
    )
    digests = {"training_set": _NOTHING, "code": _NOTHING, "environment": digest_of(ENVIRONMENT)}
    return files, {"project": name, "format": "skops/1", "parameters": {"seed": seed}, **digests}


@functools.cache
def trained(seed: int) -> tuple[bytes, Reference]:
    """Train a model on made-up rows; give its bytes and some of its answers."""
    random = np.random.default_rng(seed)
    x = np.column_stack(
        [
            random.integers(0, 3, 400),
            random.integers(0, 3, 400),
            random.uniform(10, 6000, 400),
            random.integers(0, 24, 400),
            random.uniform(0, 40, 400),
            random.integers(1990, 2013, 400),
        ]
    ).astype(np.float64)
    x[::7, 4] = np.nan
    y = random.random(400) < 0.5 + 0.45 * np.sin(x[:, 2] / 400 + seed)
    model = HistGradientBoostingClassifier(max_iter=20, random_state=seed).fit(x, y)
    rows = tuple(tuple(None if np.isnan(v) else float(v) for v in row) for row in x[:20])
    scores = tuple(float(score) for score in model.predict_proba(x[:20])[:, 1])
    return FORMATS["skops/1"].dump(model).data, Reference(x=rows, scores=scores, tolerance=1e-9)


def contract() -> Contract:
    """Give the contract that `make_release` packs."""
    return Contract(
        request=REQUEST,
        features=FEATURES,
        sources=(
            SourceSpec(
                name="weather",
                reader=by_function("tables:weather"),
                key="origin",
                event_time="hour",
                available_delay=timedelta(minutes=50),
                stale_after=timedelta(hours=3),
            ),
        ),
        vocabulary={"origin": ORIGINS, "carrier": CARRIERS},
        guards=(
            Rule(kind="between", column="distance", parameters={"low": 10, "high": 5900}),
            Rule(kind="between", column="distance", parameters={"low": 10, "high": 5200}, at_most=0.01),
        ),
        outcome=OutcomeSpec(
            name="late",
            source="arrivals",
            inputs=("arrival_delay",),
            returns=FieldKind.BOOL,
            final_after=timedelta(hours=24),
            never="exclude",
            code=Code(name="late", source="def late(arrival_delay):\n    return arrival_delay > 15"),
        ),
        task="binary",
        threshold=0.5,
    )


def with_windows() -> Contract:
    """Give the same contract with a window over departures by carrier: a source that nothing looks up."""
    aggregates = (Aggregate.COUNT, Aggregate.SUM)
    window = Window(
        name="carrier",
        source="departures",
        by="carrier",
        value="delay",
        value_type=FieldKind.INT,
        columns=tuple(
            WindowColumn(name=f"carrier_{one.value}_3h", aggregate=one, span=timedelta(hours=3), type=FieldKind.INT)
            for one in aggregates
        ),
    )
    departures = SourceSpec(
        name="departures",
        reader=by_function("tables:departures"),
        key="flight_id",
        event_time="scheduled",
        available_time="left",
    )
    plain = contract()
    features = msgspec.structs.replace(FEATURES, windows=(window,))
    return msgspec.structs.replace(plain, features=features, sources=(*plain.sources, departures))


REQUEST = RequestSpec(
    name="Flight",
    key="flight_id",
    asked_at="scheduled_departure",
    history="departures",
    lateness=timedelta(days=7),
    fields=(
        Field(name="flight_id", kind=FieldKind.TEXT),
        Field(name="scheduled_departure", kind=FieldKind.TIME),
        Field(name="origin", kind=FieldKind.CATEGORY, unseen=Unseen.REFUSE),
        Field(name="carrier", kind=FieldKind.CATEGORY, unseen=Unseen.OTHER),
        Field(name="tail_number", kind=FieldKind.TEXT, nullable=True),
        Field(name="distance", kind=FieldKind.FLOAT, low=10, high=6000),
        Field(name="seats", kind=FieldKind.INT, nullable=True, low=1),
    ),
)

FEATURES = FeatureSet(
    timezone="America/New_York",
    lookups=(
        Lookup(
            source="weather",
            by="origin",
            columns=(LookupColumn(name="wind_speed", type=FieldKind.FLOAT),),
            clocked=True,
            stale_after=timedelta(hours=3),
        ),
        Lookup(
            source="planes", by="tail_number", columns=(LookupColumn(name="year", type=FieldKind.INT),), clocked=False
        ),
    ),
    features=(
        FeatureSpec(
            name="local_hour",
            version=1,
            inputs=(Input(parameter="scheduled_departure", kind=InputKind.FIELD, name="scheduled_departure"),),
            returns=FieldKind.INT,
            code=Code(
                name="local_hour",
                source="def local_hour(scheduled_departure):\n    return scheduled_departure.hour",
            ),
        ),
    ),
    columns=(
        ModelColumn(name="origin", kind=InputKind.FIELD, origin="origin", type=FieldKind.CATEGORY),
        ModelColumn(name="carrier", kind=InputKind.FIELD, origin="carrier", type=FieldKind.CATEGORY),
        ModelColumn(name="distance", kind=InputKind.FIELD, origin="distance", type=FieldKind.FLOAT),
        ModelColumn(name="local_hour", kind=InputKind.FEATURE, origin="local_hour", type=FieldKind.INT),
        ModelColumn(
            name="wind_speed", kind=InputKind.LOOKUP, origin="wind_speed", source="weather", type=FieldKind.FLOAT
        ),
        ModelColumn(name="year", kind=InputKind.LOOKUP, origin="year", source="planes", type=FieldKind.INT),
    ),
)
