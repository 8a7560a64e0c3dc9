"""The flight project over its whole year: its rows, its offline matrix, and a version of it that answers online.

The project is the example's, as it stands; its model is not what is measured here, so a small one is packed.
"""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from lockgate.features.known import AVAILABLE, stamped
from lockgate.features.offline import as_served, encode_rows, raw_columns, vocabulary_of
from lockgate.features.series import pack_horizon
from lockgate.features.store import OnlineStore
from lockgate.kernel.canonical import canonical, sha256
from lockgate.packages.folder import pack
from lockgate.packages.formats.table import FORMATS
from lockgate.packages.runtime import CONTRACT, MODEL, REFERENCE, encode_table, load_package
from lockgate.project.bind import bind
from lockgate.project.blueprint import Blueprint
from lockgate.project.load import function_of, load
from lockgate.records.features import FeatureSet, RequestSpec
from lockgate.records.package import Contract, Reference
from lockgate.records.release import Release
from lockgate.records.source import SourceSpec
from lockgate.serving.version import Version
from lockgate.sources.read import kind_of_type
from lockgate.training.seeds import table_rows

__all__ = ["Flights", "flights", "version_of"]

_PROJECT = Path(__file__).parents[2] / "examples" / "flight_delay"
_READY = b"ready"
_AT = datetime(2014, 1, 1, tzinfo=UTC)

Sources = Mapping[str, tuple[SourceSpec, pl.DataFrame]]
"""For each source its declaration and rows."""


@dataclass(frozen=True, kw_only=True)
class Flights:
    """A year of requests, computed offline."""

    # The project.
    blueprint: Blueprint
    # From request to matrix, types known.
    features: FeatureSet
    # For each source its declaration and rows.
    sources: Sources
    # The requests with what was known when each was asked, in order of asking.
    served: pl.DataFrame
    # The vocabulary of each category column.
    vocabulary: dict[str, tuple[str, ...]]
    # What the model sees of each request, (requests, columns).
    matrix: NDArray[np.float64]
    # How long joining, features and encoding took.
    seconds: float

    @property
    def request(self) -> RequestSpec:
        """What is asked."""
        return self.blueprint.request


@cache
def flights(first: int | None) -> Flights:
    """Compute the year offline, by the path of training; or the first flights of it."""
    with _traceless():
        blueprint = load(_PROJECT).blueprint
        sources: Sources = {spec.name: (spec, _rows_of(spec)) for spec in blueprint.sources}
    kinds = {
        name: {column: kind_of_type(kind) for column, kind in frame.schema.items()}
        for name, (_, frame) in sources.items()
    }
    features, request = bind(blueprint, kinds, {}), blueprint.request
    asked = sources[request.history][1].sort(request.asked_at)
    if first is not None:
        asked = asked.head(first)
        sources = _not_much_later(sources, asked[request.asked_at][-1])
    began = time.perf_counter()
    served = as_served(asked, request, features, sources)
    raw = raw_columns(served, request, features)
    vocabulary = vocabulary_of(raw, features)
    matrix = encode_rows(raw, features, vocabulary)
    return Flights(
        blueprint=blueprint,
        features=features,
        sources=sources,
        served=served,
        vocabulary=vocabulary,
        matrix=matrix,
        seconds=time.perf_counter() - began,
    )


def _rows_of(spec: SourceSpec) -> pl.DataFrame:
    """Give a source's rows as a first snapshot of the whole year has them."""
    rows = stamped(spec, function_of(_PROJECT, spec.reader.where)().lazy()).collect()
    return rows.drop_nulls(AVAILABLE) if spec.clocked else rows


def _not_much_later(sources: Sources, last: datetime) -> Sources:
    """Leave out what became known two days after the last request, or later: what could leak in is still there."""
    return {
        name: (spec, rows.filter(pl.col(AVAILABLE) < last + timedelta(days=2)) if spec.clocked else rows)
        for name, (spec, rows) in sources.items()
    }


def version_of(year: Flights, folder: Path, store: OnlineStore) -> Version:
    """Pack a small model of the year and load it as a worker does; what it looks up is in the store as it is told."""
    store.change([_READY], lambda _: [pack_horizon(None)])  # nobody prepares it: it is whole as it is
    model, reference = _small_model(year)
    files = {CONTRACT: canonical(_contract(year)), MODEL: model, REFERENCE: canonical(reference)}
    for lookup in year.features.lookups:
        if not lookup.clocked:
            path, data = encode_table(lookup.source, table_rows(lookup, *year.sources[lookup.source]))
            files[path] = data
    nothing = sha256(b"")
    digest, _ = pack(
        folder,
        files,
        project=year.blueprint.name,
        format="skops/1",
        training_set=nothing,
        code=nothing,
        environment=nothing,
        parameters={},
    )
    release = Release(
        endpoint=year.blueprint.name,
        number=1,
        package=digest,
        training_run=nothing,
        evidence=(),
        verdicts=(),
        commit="0" * 40,
        dirty=False,
        line="bench",
        by="bench",
        at=_AT,
    )
    return Version(nothing, release, load_package(folder, digest), store, _READY)


def _contract(year: Flights) -> Contract:
    read_online = {lookup.source for lookup in year.features.lookups if lookup.clocked}
    read_online |= {window.source for window in year.features.windows}
    return Contract(
        request=year.request,
        features=year.features,
        sources=tuple(year.sources[name][0] for name in sorted(read_online)),
        vocabulary=year.vocabulary,
        outcome=year.blueprint.outcome,
        task=year.blueprint.model.task,
        threshold=year.blueprint.model.threshold,
    )


def _small_model(year: Flights) -> tuple[bytes, Reference]:
    x = year.matrix[:: max(1, len(year.matrix) // 1_000)]
    model = HistGradientBoostingClassifier(max_iter=1, max_leaf_nodes=2, random_state=0).fit(x, np.arange(len(x)) % 2)
    asked = x[:4]
    answers = model.predict_proba(asked)[:, 1]
    rows = tuple(tuple(None if np.isnan(value) else float(value) for value in row) for row in asked)
    return FORMATS["skops/1"].dump(model).data, Reference(x=rows, scores=tuple(map(float, answers)), tolerance=1e-9)


@contextmanager
def _traceless() -> Iterator[None]:
    """Take back what loading a project does to this process."""
    path = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = path
        for name in ("project", "tables"):
            sys.modules.pop(name, None)
