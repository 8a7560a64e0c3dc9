"""A model's file is data: loading it runs nothing, and types beyond the server's list are refused by name."""

import functools
import hashlib
import io
import json
import os
import pickle
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from lockgate.kernel.canonical import canonical, sha256
from lockgate.kernel.errors import Invalid, LockgateError, TooLarge
from lockgate.packages.folder import pack
from lockgate.packages.formats.protocol import Stored
from lockgate.packages.formats.table import FORMATS
from lockgate.packages.runtime import CONTRACT, MODEL, REFERENCE, load_package
from lockgate.packages.zipped import check_unpacked, deterministic
from tests.making.package import contract, trained

SKOPS = FORMATS["skops/1"]
RANDOM = np.random.default_rng(0)
X = np.column_stack([RANDOM.normal(size=(80, 2)), RANDOM.integers(0, 3, 80)])
Y = X[:, 0] + X[:, 1] > 0

MODELS: dict[str, Callable[[], Any]] = {
    "a line": LogisticRegression,
    "a pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.5)),
    "a forest": lambda: RandomForestClassifier(5, random_state=0),
    "boosting with categories": lambda: HistGradientBoostingClassifier(
        max_iter=5, categorical_features=[2], random_state=0
    ),
}


class Shift(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn publishes no types
    """A step that a user wrote."""

    def fit(self, x: Any, y: Any = None) -> "Shift":  # noqa: ANN401 - as scikit-learn has it
        del x, y
        return self

    def transform(self, x: Any) -> Any:  # noqa: ANN401 - as scikit-learn has it
        return x + 1


class Payload:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def with_step(step: Any) -> bytes:  # noqa: ANN401 - any transformer
    """Give the bytes of a pipeline with a step in it, not fitted, as loading never gets that far."""
    model = make_pipeline(step, LogisticRegression())
    assert SKOPS.takes(model)
    return deterministic(skops.io.dumps(model))


def edited(data: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """Edit the schema of a skops file."""
    source, target = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            body = source.read(name)
            if name == "schema.json":
                schema = json.loads(body)
                change(schema)
                body = json.dumps(schema).encode()
            archive.writestr(name, body)
    return target.getvalue()


@pytest.mark.parametrize("what", MODELS)
def test_a_stored_model_scores_as_the_object_itself(what: str) -> None:
    model = MODELS[what]().fit(X, Y)

    assert SKOPS.takes(model)
    assert SKOPS.load(SKOPS.dump(model), "binary").score(X).tolist() == model.predict_proba(X)[:, 1].tolist()


def test_a_pipeline_that_fills_in_what_is_missing_is_loaded_again() -> None:
    model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(X, Y)

    assert SKOPS.load(SKOPS.dump(model), "binary").score(X).tolist() == model.predict_proba(X)[:, 1].tolist()


def test_a_regression_scores_its_number() -> None:
    model = HistGradientBoostingRegressor(max_iter=5, random_state=0).fit(X, X[:, 0])

    assert SKOPS.load(SKOPS.dump(model), "regression").score(X).tolist() == model.predict(X).tolist()


NO_MODELS: dict[str, Any] = {
    "a function": len,
    "a list": [],
    "a user's class": Shift(),
    "a transformer": StandardScaler(),
    "an array": X,
}


@pytest.mark.parametrize("what", NO_MODELS)
def test_what_is_no_model_of_scikit_learn_is_not_taken(what: str) -> None:
    assert not SKOPS.takes(NO_MODELS[what])


FOREIGN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a user's class": (lambda _: Shift(), "Shift"),
    "a function of the system": (lambda _: FunctionTransformer(os.getcwd), "posix.getcwd"),
    "a function of the system inside a partial, which is on the list": (
        lambda path: FunctionTransformer(functools.partial(os.system, f"touch {path}")),
        "posix.system",
    ),
    "a path": (lambda path: FunctionTransformer(kw_args={"where": path}), "pathlib"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_foreign_type_is_refused_by_name(what: str, tmp_path: Path) -> None:
    step, name = FOREIGN[what]
    data = with_step(step(tmp_path / "ran"))

    with pytest.raises(Invalid, match="types that this server does not load") as refused:
        SKOPS.load(Stored(data), "binary")
    assert name in refused.value.found
    assert not (tmp_path / "ran").exists()


def test_a_file_whose_schema_was_edited_by_hand_names_what_it_would_load() -> None:
    data = SKOPS.dump(MODELS["a line"]().fit(X, Y)).data

    with pytest.raises(Invalid) as refused:
        SKOPS.load(
            Stored(edited(data, lambda schema: schema.update(__module__="subprocess", __class__="Popen"))), "binary"
        )
    assert refused.value.found == "subprocess.Popen"


def pack_model(folder: Path, model: bytes) -> str:
    digests = dict.fromkeys(("training_set", "code", "environment"), sha256(b""))
    files = {CONTRACT: canonical(contract()), MODEL: model, REFERENCE: canonical(trained(1)[1])}
    return pack(folder, files, project="p", format="skops/1", parameters={}, **digests)[0]


def archive_of(**members: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, body in members.items():
            archive.writestr(name.replace("_", "."), body)
    return target.getvalue()


def with_pickled_array(path: Path) -> bytes:
    """Give a stored model, one of whose arrays is of pickled objects."""
    array, target = io.BytesIO(), io.BytesIO()
    np.save(array, np.array([Payload(path)], dtype=object), allow_pickle=True)
    source = zipfile.ZipFile(io.BytesIO(SKOPS.dump(MODELS["a line"]().fit(X, Y)).data))
    with source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            archive.writestr(name, array.getvalue() if name.endswith(".npy") else source.read(name))
    return target.getvalue()


PICKLES: dict[str, Callable[[Path], bytes]] = {
    "a pickle": lambda path: pickle.dumps(Payload(path)),
    "a pickle of text": lambda path: pickle.dumps(Payload(path), protocol=0),
    "a pickle behind a model": lambda path: trained(1)[0] + pickle.dumps(Payload(path)),
    "an archive of a pickle": lambda path: archive_of(data_pkl=pickle.dumps(Payload(path))),
    "an array of pickled objects": with_pickled_array,
}


@pytest.mark.parametrize("what", PICKLES)
def test_a_pickle_in_the_models_place_is_not_executed(what: str, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    pickle.loads(pickle.dumps(Payload(mark)))  # noqa: S301 - shows that the payload works
    assert mark.exists()
    mark.unlink()
    digest = pack_model(tmp_path / "package", PICKLES[what](mark))

    if what == "a pickle behind a model":
        load_package(tmp_path / "package", digest)  # a zip may have bytes behind it; they are never read
    else:
        with pytest.raises(Exception, match=r"."):
            load_package(tmp_path / "package", digest)
    assert not mark.exists()


@pytest.mark.parametrize(
    "data", [pickle.dumps([1]), b"", archive_of(other=b"x")], ids=["a pickle", "nothing", "an archive of something"]
)
def test_a_file_that_is_no_model_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(LockgateError):
        SKOPS.load(Stored(data), "binary")


def test_an_archive_that_would_unpack_to_far_more_than_it_is_is_not_unpacked() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", bytes(65 << 20))

    with pytest.raises(TooLarge, match="nothing of it was unpacked"):
        SKOPS.load(Stored(bomb.getvalue()), "binary")
    check_unpacked(trained(1)[0])


SCRIPT = """
import hashlib
import sys

sys.path.insert(0, sys.argv[1])
from tests.unit.packages.test_formats import MODELS, SKOPS, X, Y
junk = [object() for _ in range(int(sys.argv[2]))]  # moves what comes after it to other addresses
for make in MODELS.values():
    print(hashlib.sha256(SKOPS.dump(make().fit(X, Y)).data).hexdigest())
"""


def test_the_same_model_gives_the_same_bytes_in_two_processes() -> None:
    root = Path(__file__).resolve().parents[3]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(root), str(seed * 1000)],
            env={**os.environ, "PYTHONHASHSEED": str(seed), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in (1, 2)
    ]
    first, second = (process.communicate(timeout=120)[0].split() for process in processes)

    assert first == second
    assert len(set(first)) == len(MODELS)
    assert hashlib.sha256(SKOPS.dump(MODELS["a line"]().fit(X, Y)).data).hexdigest() == first[0]


@pytest.mark.parametrize("what", MODELS)
def test_to_make_deterministic_twice_changes_nothing(what: str) -> None:
    data = SKOPS.dump(MODELS[what]().fit(X, Y)).data

    assert deterministic(data) == data


def test_nothing_of_the_time_of_day_or_of_an_address_is_left() -> None:
    with zipfile.ZipFile(io.BytesIO(SKOPS.dump(MODELS["a pipeline"]().fit(X, Y)).data)) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        numbers = [int(name.partition(".")[0]) for name in archive.namelist() if name != "schema.json"]
        text = archive.read("schema.json").decode()
    assert numbers
    assert max(numbers) < 1000
    assert max(int(found) for found in re.findall(r'"__id__": (\d+)', text)) < 1000


def test_another_model_gives_other_bytes() -> None:
    one = LogisticRegression(C=1.0).fit(X, Y)

    assert SKOPS.dump(one) == SKOPS.dump(LogisticRegression(C=1.0).fit(X, Y))
    assert SKOPS.dump(one) != SKOPS.dump(LogisticRegression(C=1.1).fit(X, Y))
