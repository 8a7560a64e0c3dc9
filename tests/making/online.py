"""Look-ups and windows as an endpoint does them, over rows that were told to a store."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from lockgate.features.online import TableRows
from lockgate.features.resolving import Resolver
from lockgate.features.series import Told, pack_horizon, ready_key, series_of, tell
from lockgate.features.store import MemoryStore, OnlineStore
from lockgate.kernel.folders import StateFolder
from lockgate.records.features import FeatureSet, Lookup, RequestSpec
from lockgate.records.source import SourceSpec
from lockgate.serving.feed import Feed, gather
from tests.making.projects import blueprint, bound

MACHINE = "here"
ENDPOINT = "tested"
READY = ready_key(MACHINE, ENDPOINT, "release")


def prepare(state: StateFolder, endpoint: str, store: OnlineStore) -> Feed:
    """Prepare the releases of an endpoint's plan, as ingest does."""
    feed = Feed(state, endpoint, store, MACHINE)
    for need in feed.look(0.0):
        for _ in feed.fill(gather(state, endpoint, need)):
            continue
    assert feed.trouble is None, feed.trouble
    return feed


def resolver(
    request: RequestSpec,
    features: FeatureSet,
    sources: Sequence[SourceSpec] = (),
    told: Iterable[Told] = (),
    *,
    tables: Mapping[str, TableRows] = {},
    store: OnlineStore | None = None,
) -> Resolver:
    """Tell rows to a store, an empty one unless another is given, and read it as an endpoint does."""
    store = MemoryStore() if store is None else store
    series = series_of(ENDPOINT, features, sources)
    for row in told:
        tell(store, series, [row])
    store.change([READY], lambda _: [pack_horizon(None)])
    return Resolver(request, features, tables, series, store, READY)


def by_depot(lookup: Lookup, spec: SourceSpec, told: Iterable[Told]) -> Resolver:
    """Look up, by a depot alone, in a store that was told these rows of deliveries (`projects`)."""
    features = msgspec.structs.replace(bound(), lookups=(lookup,), windows=(), features=(), columns=())
    depot = blueprint().request.field("depot")
    request = msgspec.structs.replace(blueprint().request, fields=(depot,))
    store = MemoryStore()
    tell(store, series_of(ENDPOINT, features, [spec]), told)
    return resolver(request, features, [spec], store=store)
