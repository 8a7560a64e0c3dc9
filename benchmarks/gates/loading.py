"""What it costs to believe a package before it answers: signature, digests, types, trees and reference answers.

Beside it stands a bare load: the same files read, the features opened and the model loaded by its library, and nothing
looked at. Each ends with the answer to a first row. What the library alone takes is for the record.
"""

import base64
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.harness import Comparison, Figure, at_most, interleave
from lockgate.kernel.canonical import Digest, canonical, digest_of, parse, sha256
from lockgate.kernel.folders import StateFolder, replace_file
from lockgate.packages.folder import MANIFEST, pack
from lockgate.packages.formats.scikit_types import TRUSTED
from lockgate.packages.formats.table import FORMATS, format_for
from lockgate.packages.runtime import CONTRACT, MODEL, REFERENCE, TREES, LoadedPackage, encode_seed, encode_table
from lockgate.packages.signing import make_key, sign, signing_key
from lockgate.records.package import Contract, Package, Reference
from lockgate.records.release import Envelope, Release
from lockgate.serving.loading import load_version
from lockgate.serving.version import Version
from tests.making.package import ENVIRONMENT, NAME, START, contract

__all__ = ["measure"]

_GOAL = 1.5
_QUESTIONS = 64


def measure(*, rows: int = 20_000, trees: int = 100, rounds: int = 25) -> list[Figure]:
    """Load the same model from a signed release and bare, in turns, in one process, on one core as a worker does.

    Args:
        rows: that it is fitted on.
        trees: of the model.
        rounds: how often each is loaded; the medians count.
    """
    x, y = _rows(rows)
    figures: list[Figure] = []
    for what, (fit, runtime, library, *faster) in _MODELS.items():
        with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
            state = StateFolder(Path(folder))
            digest, files = _install(state, fit(x, y, trees), runtime, x)
            believed = partial(_believed, state, digest, x[:1])
            with threadpool_limits(1):
                bare = partial(_bare, state, digest, files, library, x[:1])
                beside = interleave(bare, believed, rounds=rounds)
                figures.append(
                    at_most(f"load with verification / bare load, {what}", beside.ratio, "x", _GOAL, _note(beside))
                )
                for alone in (library, *faster):
                    compared = interleave(partial(alone, files, x[:1]), believed, rounds=rounds)
                    figures.append(_for_the_record(what, alone, compared))
    return figures


def _note(compared: Comparison) -> str:
    spread = f"half of the rounds {compared.low:.2f} to {compared.high:.2f}"
    return f"{compared.second * 1000:.1f} ms, beside {compared.first * 1000:.1f} ms; {spread}"


def _for_the_record(what: str, alone: Callable[..., object], compared: Comparison) -> Figure:
    name = f"load with verification / {alone.__name__.removeprefix('_by_')} alone, {what}"
    return Figure(name=name, value=compared.ratio, unit="x", note=_note(compared))


def _believed(state: StateFolder, digest: Digest, row: NDArray[np.float64]) -> object:
    return load_version(state, NAME, digest).package.score(row)


def _bare(
    state: StateFolder, digest: Digest, folder: Path, library: Callable[..., object], row: NDArray[np.float64]
) -> object:
    """Load what answers the same requests, and believe everything."""
    envelope = parse(state.release(NAME, digest).read_bytes(), Envelope)
    release = parse(base64.b64decode(envelope.payload), _Statement).predicate
    package = parse((folder / MANIFEST).read_bytes(), Package)
    contents = {
        file.path: (folder / file.path).read_bytes() for file in package.files if file.path not in {MODEL, TREES}
    }
    contract = parse(contents[CONTRACT], Contract)
    loaded = LoadedPackage(release.package, package, contract, _NotAsked())
    return Version(digest, release, loaded), library(folder, row)


class _Statement(msgspec.Struct):
    predicate: Release


class _NotAsked:
    """Stands where the model does, which is asked by its library."""

    def score(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        raise AssertionError(x.shape)


def _rows(count: int) -> tuple[Any, Any]:
    random = np.random.default_rng(0)
    codes = [random.integers(0, 3, count), random.integers(0, 3, count), random.uniform(10, 6000, count)]
    x = np.column_stack(
        [*codes, random.integers(0, 24, count), random.uniform(0, 40, count), random.integers(1990, 2013, count)]
    )
    return x.astype(np.float64), random.random(count) < 0.5 + 0.45 * np.sin(x[:, 2] / 400)


def _boosting(x: Any, y: Any, trees: int) -> Any:  # noqa: ANN401 - scikit-learn publishes no types
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - only where it is measured

    return HistGradientBoostingClassifier(max_iter=trees, early_stopping=False, random_state=0).fit(x, y)


def _lightgbm(x: Any, y: Any, trees: int) -> Any:  # noqa: ANN401 - LightGBM publishes no types
    import lightgbm  # noqa: PLC0415 - only where it is measured

    return lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, lightgbm.Dataset(x, y), trees)


def _forest(x: Any, y: Any, trees: int) -> Any:  # noqa: ANN401 - scikit-learn publishes no types
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - only where it is measured

    return RandomForestClassifier(trees, max_depth=8, random_state=0).fit(x, y)


def _by_skops(folder: Path, row: NDArray[np.float64]) -> object:
    import skops.io  # noqa: PLC0415 - only where it is measured

    return skops.io.loads((folder / MODEL).read_bytes(), trusted=sorted(TRUSTED)).predict_proba(row)


def _by_lightgbm(folder: Path, row: NDArray[np.float64]) -> object:
    import lightgbm  # noqa: PLC0415 - only where it is measured

    return lightgbm.Booster(model_str=(folder / MODEL).read_text()).predict(row, num_threads=1)


def _by_treelite(folder: Path, row: NDArray[np.float64]) -> object:
    import treelite  # noqa: PLC0415 - only where it is measured

    return treelite.gtil.predict(treelite.Model.deserialize_bytes((folder / TREES).read_bytes()), row, nthread=1)


_MODELS: dict[str, tuple[Any, ...]] = {
    "boosting by scikit-learn": (_boosting, "library", _by_skops),
    "a forest by scikit-learn": (_forest, "library", _by_skops),
    "LightGBM": (_lightgbm, "library", _by_lightgbm),
    "boosting by scikit-learn, answered by GTIL": (_boosting, "gtil", _by_skops, _by_treelite),
}
"""How each is fitted, who answers for it, and how its library loads it; last, how the faster runtime does."""


def _install(state: StateFolder, model: Any, runtime: str, x: Any) -> tuple[Digest, Path]:  # noqa: ANN401 - as above
    """Pack, sign and install a model; give its release, and where its files lie."""
    name = format_for(model)
    form = FORMATS[name]
    chosen = x[np.linspace(0, len(x) - 1, _QUESTIONS).astype(int)]
    scores = tuple(map(float, form.scorer(model, "binary").score(chosen)))
    reference = Reference(x=tuple(tuple(map(float, row)) for row in chosen), scores=scores, tolerance=1e-9)
    files = {CONTRACT: canonical(contract()), MODEL: form.dump(model).data, REFERENCE: canonical(reference)}
    files |= dict([encode_table("planes", []), encode_seed("weather", [])])
    if runtime != "library":
        found = form.trees(model)
        assert found is not None  # noqa: S101 - trees are what this model is made of
        files[TREES] = found.data
    digests = dict.fromkeys(("training_set", "code"), sha256(b"")) | {"environment": digest_of(ENVIRONMENT)}
    draft = state.root / "draft"
    package, _ = pack(draft, files, project=NAME, format=name, runtime=runtime, parameters={}, **digests)
    folder = state.package(package)
    folder.parent.mkdir(parents=True)
    draft.rename(folder)
    make_key(state.signing_key, state.trust)
    release = Release(
        endpoint=NAME,
        number=1,
        package=package,
        training_run=sha256(b""),
        evidence=(),
        verdicts=(),
        commit="0" * 40,
        dirty=False,
        line="line-1",
        by="a benchmark",
        at=START,
    )
    digest = digest_of(release)
    replace_file(state.release(NAME, digest), sign(release, signing_key(state.signing_key)))
    return digest, folder
