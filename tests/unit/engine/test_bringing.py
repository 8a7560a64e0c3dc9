"""What was fitted elsewhere is read without running any of it, and answers as the original does."""

import json
import math
import pickle
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped] # publishes no types
import msgspec
import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from lockgate.engine.bringing.asked import ImportAsked, look_at
from lockgate.engine.bringing.job import BroughtIn, bring_in
from lockgate.kernel.canonical import digest_of, parse
from lockgate.kernel.errors import Invalid, LockgateError, NotFound
from lockgate.kernel.verdicts import Verdict
from lockgate.packages.formats.protocol import Stored
from lockgate.packages.formats.table import format_named
from lockgate.packages.runtime import CODE, MODEL, REFERENCE
from lockgate.records.features import FieldKind, InputKind
from lockgate.records.package import Reference
from lockgate.training.example import Roles
from tests.making import brought
from tests.making.brought import COLUMNS, FILES, MLFLOW, SCRIPT, clicks
from tests.making.hostile import Payload
from tests.making.watching import Watch

ROLES: dict[str, Any] = {"key": "visitor", "asked_at": "seen_at", "outcome": "clicked"}


class Bench:
    """A folder with what is brought and example rows; reads it as a child would."""

    def __init__(self, root: Path) -> None:
        self.root, self.scratch = root, root / "scratch"

    def bring(self, path: Path | str, rows: pl.DataFrame | Path | None = None, **asked: Any) -> BroughtIn:  # noqa: ANN401 - of ImportAsked
        example = rows if isinstance(rows, Path) else self.root / "rows.parquet"
        if not isinstance(rows, Path):
            (clicks() if rows is None else rows).write_parquet(example)
        roles = Roles(**{name: asked.pop(name) for name in tuple(asked) if name in Roles.__struct_fields__})
        wanted = ImportAsked(path=str(path), example=str(example), name="clicks", roles=roles, **asked)
        shutil.rmtree(self.scratch, ignore_errors=True)
        for name, one in look_at(wanted).files.items():
            (self.scratch / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(one, self.scratch / name)
        found = bring_in(self.scratch, self.scratch, {"asked": wanted.plain()}, None)
        return msgspec.convert(msgspec.to_builtins(found), BroughtIn)

    def answers(self, found: BroughtIn) -> Any:  # noqa: ANN401 - NDArray[np.float64]
        """Ask what would be packed the example rows."""
        stored = Stored((self.scratch / MODEL).read_bytes(), (self.scratch / CODE).read_bytes())
        rows = pl.read_parquet(self.scratch / "test.parquet")
        columns = [f"@{one.name}" for one in found.blueprint.features.columns]
        scorer = format_named(found.format).load(stored, found.blueprint.model.task)
        return scorer.score(rows.select(columns).to_numpy().astype(np.float64))

    def refused(self, path: Path | str, rows: pl.DataFrame | Path | None = None, **asked: Any) -> str:  # noqa: ANN401 - of ImportAsked
        with pytest.raises(LockgateError) as error:
            self.bring(path, rows, **asked)
        return str(error.value)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


FORMATS = {
    "model.skops": "skops/1",
    "model.txt": "lightgbm-text/1",
    "model.ubj": "xgboost-ubj/1",
    "model.json": "xgboost-ubj/1",
    "model.onnx": "onnx/1",
}


def original(name: str) -> Any:  # noqa: ANN401 - NDArray[np.float64]
    """Ask a model itself, as its library's users do."""
    x = brought.matrix()
    if name in {"model.skops", "sklearn"}:
        return brought.trained("skops").predict_proba(x)[:, 1]
    if name in {"model.txt", "lightgbm"}:
        return brought.trained("lightgbm").predict(x)
    if name == "a LightGBM estimator":
        return brought.trained("lightgbm estimator").predict_proba(x)[:, 1]
    if name == "an XGBoost estimator":
        return brought.trained("xgboost estimator").predict_proba(x)[:, 1]
    if "onnx" in name:
        import onnxruntime  # noqa: PLC0415 - only where it is asked

        session = onnxruntime.InferenceSession(brought.onnx_model().SerializeToString())
        return session.run(["probabilities"], {"X": x.astype(np.float32)})[0][:, 1].astype(np.float64)
    import xgboost  # noqa: PLC0415 - only where it is asked

    return brought.trained("xgboost").predict(xgboost.DMatrix(x, feature_names=list(COLUMNS)))


@pytest.mark.parametrize("name", FILES)
def test_a_models_file_is_packed_and_answers_as_the_model_does(bench: Bench, tmp_path: Path, name: str) -> None:
    FILES[name](tmp_path / name)
    found = bench.bring(tmp_path / name, columns=COLUMNS, **ROLES)

    assert found.format == FORMATS[name]
    assert bench.answers(found).tolist() == original(name).tolist()
    request = found.blueprint.request
    assert [field.name for field in request.fields] == ["visitor", "seen_at", *COLUMNS]
    assert [column.name for column in found.blueprint.features.columns] == list(COLUMNS)
    assert {found.blueprint.model.task, found.blueprint.outcome.returns.value} == {"binary", "bool"}
    assert found.notes[-1] == "not asked for: country"
    assert {report.verdict for report in found.reports} == {Verdict.PASS}


@pytest.mark.parametrize("flavour", MLFLOW)
def test_a_folder_of_mlflow_is_packed_and_answers_as_the_model_does(bench: Bench, tmp_path: Path, flavour: str) -> None:
    MLFLOW[flavour](tmp_path / "model")
    found = bench.bring(tmp_path / "model", columns=COLUMNS, **ROLES)

    assert found.kind == f"mlflow/{flavour if ' ' not in flavour else flavour.split()[1].lower()}"
    assert found.said["mlflow_version"]
    assert bench.answers(found).tolist() == original(flavour).tolist()


def test_reference_answers_are_the_originals_and_no_row_is_to_learn_from(bench: Bench, tmp_path: Path) -> None:
    FILES["model.txt"](tmp_path / "model.txt")
    found = bench.bring(tmp_path / "model.txt", **ROLES)
    reference = parse((bench.scratch / REFERENCE).read_bytes(), Reference)
    x = np.array([[math.nan if one is None else one for one in row] for row in reference.x])

    assert len(reference.scores) == 64
    assert np.abs(brought.trained("lightgbm").predict(x) - np.array(reference.scores)).max() == 0
    assert (found.training_set.train_rows, found.training_set.test_rows) == (0, 400)
    assert pl.read_parquet(bench.scratch / "train.parquet").height == 0
    assert pl.read_parquet(bench.scratch / "test.parquet")["@outcome"].sum() == clicks()["clicked"].sum()


def test_the_same_things_brought_twice_give_the_same_records(bench: Bench, tmp_path: Path) -> None:
    FILES["model.skops"](tmp_path / "model.skops")
    seen = set()
    for _ in range(2):
        found = bench.bring(tmp_path / "model.skops", columns=COLUMNS, **ROLES)
        parts = [(bench.scratch / name).read_bytes() for name in (MODEL, CODE, REFERENCE)]
        seen.add((digest_of(found.blueprint), digest_of(found.training_set), *parts))

    assert len(seen) == 1


def test_columns_are_those_that_the_model_names_whatever_else_the_rows_have(bench: Bench, tmp_path: Path) -> None:
    FILES["model.txt"](tmp_path / "model.txt")
    found = bench.bring(tmp_path / "model.txt", clicks().select("spent", "country", "visits", "age"))

    assert [column.name for column in found.blueprint.features.columns] == list(COLUMNS)
    assert [field.name for field in found.blueprint.request.fields] == ["id", "asked_at", *COLUMNS]
    assert (found.blueprint.request.key, found.blueprint.request.asked_at) == ("id", "asked_at")
    rows = pl.read_parquet(bench.scratch / "test.parquet")
    assert rows["id"].to_list()[:3] == ["0", "1", "2"]
    assert rows["asked_at"].to_list()[:2] == [datetime(1970, 1, 1, 0, 0, second, tzinfo=UTC) for second in (0, 1)]
    assert rows["@outcome"].null_count() == 400


def test_of_a_model_that_names_none_the_columns_are_those_that_are_left(bench: Bench, tmp_path: Path) -> None:
    FILES["model.skops"](tmp_path / "model.skops")
    found = bench.bring(tmp_path / "model.skops", clicks().drop("country", "seen_at"), key="visitor", outcome="clicked")

    assert [column.name for column in found.blueprint.features.columns] == list(COLUMNS)
    said = bench.refused(tmp_path / "model.skops", clicks(), key="visitor", outcome="clicked")
    assert "expected 3 columns, found 5: age, visits, spent, country, seen_at" in said
    assert "--columns a,b,c" in said


def test_numbers_are_floats_and_null_is_taken_where_a_row_has_it(bench: Bench, tmp_path: Path) -> None:
    FILES["model.txt"](tmp_path / "model.txt")
    rows = clicks().with_columns(pl.when(pl.col("age") < 60).then("age").alias("age"))
    found = bench.bring(tmp_path / "model.txt", rows, **ROLES)
    fields = {field.name: (field.kind, field.nullable) for field in found.blueprint.request.fields}

    assert fields["age"] == (FieldKind.FLOAT, True)
    assert fields["visits"] == (FieldKind.FLOAT, False)
    x = rows.select(COLUMNS).to_numpy().astype(np.float64)
    assert bench.answers(found).tolist() == brought.trained("lightgbm").predict(x).tolist()


def test_texts_that_pandas_gave_codes_to_are_categories_of_the_request(bench: Bench, tmp_path: Path) -> None:
    import lightgbm  # noqa: PLC0415 - only where it is asked

    codes = clicks()["country"].cast(pl.Enum(["be", "nl", "us"])).to_physical().to_numpy()
    x = np.column_stack([clicks()["age"].to_numpy(), codes]).astype(np.float64)
    settings = {"objective": "binary", "verbose": -1, "min_data_per_group": 5}
    data = lightgbm.Dataset(x, brought.labels(), feature_name=["age", "country"], categorical_feature=[1])
    text = lightgbm.train(settings, data, 5).model_to_string()
    assert "pandas_categorical:null" in text
    (tmp_path / "model.txt").write_text(
        text.replace("pandas_categorical:null", 'pandas_categorical:[["be", "nl", "us"]]')
    )
    found = bench.bring(tmp_path / "model.txt", **ROLES)

    (country,) = [field for field in found.blueprint.request.fields if field.name == "country"]
    assert country.kind is FieldKind.CATEGORY
    assert found.training_set.vocabulary == {"country": ("be", "nl", "us")}
    assert bench.answers(found).tolist() == np.asarray(lightgbm.Booster(model_str=text).predict(x)).tolist()


def test_a_text_that_the_model_has_no_codes_for_is_refused_with_the_way_out(bench: Bench, tmp_path: Path) -> None:
    FILES["model.skops"](tmp_path / "model.skops")
    said = bench.refused(tmp_path / "model.skops", columns=("age", "visits", "country"), **ROLES)

    assert "country: expected numbers, or true and false" in said
    assert "bring a function" in said


def test_what_does_not_fit_is_told_all_at_once_with_the_nearest_name(bench: Bench, tmp_path: Path) -> None:
    FILES["model.txt"](tmp_path / "model.txt")
    rows = clicks().rename({"age": "ages"}).with_columns(visits=pl.lit("many"))
    said = bench.refused(tmp_path / "model.txt", rows, key="visiter", outcome="clicked")

    assert "visiter: expected a column of the example rows" in said
    assert "'visitor'" in said
    assert "age: expected a column that the model asks for" in said
    assert "'ages'" in said
    assert "visits: expected numbers" in said


def test_times_without_a_zone_are_refused_until_somebody_says_which(bench: Bench, tmp_path: Path) -> None:
    FILES["model.txt"](tmp_path / "model.txt")
    rows = clicks().with_columns(pl.col("seen_at").dt.replace_time_zone(None))
    assert "--timezone" in bench.refused(tmp_path / "model.txt", rows, **ROLES)
    bench.bring(tmp_path / "model.txt", rows, timezone="America/New_York", **ROLES)

    first = pl.read_parquet(bench.scratch / "test.parquet")["seen_at"].min()
    assert first == datetime(2026, 1, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "ndjson", "parquet"])
def test_example_rows_may_be_csv_json_lines_or_parquet(bench: Bench, tmp_path: Path, suffix: str) -> None:
    FILES["model.txt"](tmp_path / "model.txt")
    path = tmp_path / f"example.{suffix}"
    rows = clicks().with_columns(pl.col("seen_at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    if suffix == "csv":
        rows.write_csv(path)
    elif suffix == "parquet":
        rows.write_parquet(path)
    else:
        rows.write_ndjson(path)
    found = bench.bring(tmp_path / "model.txt", path, **ROLES)

    assert bench.answers(found).tolist() == original("model.txt").tolist()
    assert found.training_set.first_asked == datetime(2026, 1, 1, tzinfo=UTC)


def test_example_rows_that_are_none_are_refused(bench: Bench, tmp_path: Path) -> None:
    FILES["model.txt"](tmp_path / "model.txt")
    for name, data in {"rows.xlsx": b"PK", "rows.csv": b"", "rows.parquet": b"PAR1", "rows.jsonl": b"{"}.items():
        (tmp_path / name).write_bytes(data)
        assert "rows" in bench.refused(tmp_path / "model.txt", tmp_path / name)
    assert "no example rows" in bench.refused(tmp_path / "model.txt", clicks().clear())


def test_rows_without_an_outcome_are_left_out_and_counted(bench: Bench, tmp_path: Path) -> None:
    FILES["model.txt"](tmp_path / "model.txt")
    rows = clicks().with_columns(pl.when(pl.col("age") < 60).then("clicked").alias("clicked"))
    found = bench.bring(tmp_path / "model.txt", rows, **ROLES)

    assert found.training_set.left_out == {"without an outcome": rows["clicked"].null_count()}
    assert found.training_set.test_rows == 400 - rows["clicked"].null_count()


def test_outcomes_of_two_classes_are_true_and_false(bench: Bench, tmp_path: Path) -> None:
    FILES["model.txt"](tmp_path / "model.txt")
    said = bench.refused(tmp_path / "model.txt", clicks().with_columns(clicked=pl.int_range(pl.len()) % 3), **ROLES)

    assert "These outcomes are not true and false" in said


# --- what must hold --------------------------------------------------------------------------------------------------


def test_floors_and_ceilings_become_gates_after_those_that_no_release_goes_without(
    bench: Bench, tmp_path: Path
) -> None:
    FILES["model.txt"](tmp_path / "model.txt")
    found = bench.bring(
        tmp_path / "model.txt", floors={"roc_auc": 0.8}, ceilings={"log_loss": 0.6}, min_rows=50, **ROLES
    )
    gates = found.blueprint.gates

    assert [gate.kind for gate in gates][:2] == ["data_checks", "reference_answers"]
    assert gates[0].parameters["places"] == [report.place for report in found.reports]
    bounds = {gate.parameters["metric"]: gate.parameters for gate in gates if gate.kind == "metric"}
    assert bounds["roc_auc"].items() >= {"at_least": 0.8, "min_rows": 50}.items()
    assert bounds["log_loss"].items() >= {"at_most": 0.6, "min_rows": 50}.items()


def test_a_bound_that_can_not_be_judged_is_refused(bench: Bench, tmp_path: Path) -> None:
    FILES["model.txt"](tmp_path / "model.txt")

    bounds: list[dict[str, Any]] = [{"floors": {"log_loss": 1}}, {"ceilings": {"roc_auc": 1}}, {"floors": {"mae": 1}}]
    for asked in bounds:
        assert "can't be judged" in bench.refused(tmp_path / "model.txt", **asked, **ROLES)
    said = bench.refused(tmp_path / "model.txt", clicks().drop("clicked"), floors={"roc_auc": 0.8}, key="visitor")
    assert "--outcome COLUMN" in said


def test_answers_of_the_original_system_are_held_to(bench: Bench, tmp_path: Path) -> None:
    FILES["model.txt"](tmp_path / "model.txt")
    rows = clicks().with_columns(said=pl.Series(original("model.txt")))
    bench.bring(tmp_path / "model.txt", rows, answers="said", **ROLES)
    other = rows.with_columns(
        pl.when(pl.col("visitor") == "v0007").then(1 - pl.col("said")).otherwise("said").alias("said")
    )
    said = bench.refused(tmp_path / "model.txt", other, answers="said", **ROLES)

    assert "1 of 400 rows differ" in said
    assert "1 decisions turn" in said
    bench.bring(tmp_path / "model.txt", other, answers="said", tolerance=1.0, **ROLES)


def test_an_onnx_file_whose_float32_turns_lightgbms_decisions_is_refused_against_them(
    bench: Bench, tmp_path: Path
) -> None:
    import lightgbm  # noqa: PLC0415 - only here
    from onnxmltools import convert_lightgbm  # noqa: PLC0415 - only here
    from onnxmltools.convert.common.data_types import FloatTensorType  # noqa: PLC0415 - only here

    x = np.array([[2.0**24 + place] for place in range(4)])  # float32 has no 16777217
    model = lightgbm.LGBMClassifier(
        n_estimators=1, min_child_samples=1, min_data_in_bin=1, learning_rate=1, verbose=-1
    ).fit(np.repeat(x, 10, 0), np.repeat([0, 1, 0, 1], 10))
    converted = convert_lightgbm(model, initial_types=[("x", FloatTensorType([None, 1]))], zipmap=False)
    (tmp_path / "model.onnx").write_bytes(converted.SerializeToString())
    (tmp_path / "model.txt").write_text(model.booster_.model_to_string())
    rows = pl.DataFrame({"x": x[:, 0], "said": np.asarray(model.predict_proba(x))[:, 1]})
    said = bench.refused(tmp_path / "model.onnx", rows, answers="said", columns=("x",), tolerance=1e-6)

    assert "2 of 4 rows differ" in said
    assert "2 decisions turn" in said
    assert "in its own library's format" in said
    bench.bring(tmp_path / "model.txt", rows, answers="said", columns=("x",))


def test_a_task_that_nobody_says_or_that_is_another_one_is_refused(bench: Bench, tmp_path: Path) -> None:
    FILES["model.txt"](tmp_path / "model.txt")
    (tmp_path / "script.py").write_text(SCRIPT)

    assert "found binary" in bench.refused(tmp_path / "model.txt", task="regression", **ROLES)
    said = bench.refused(f"{tmp_path}/script.py:score", key="visitor", asked_at="seen_at")
    assert "--task binary or --task regression" in said


def test_a_model_of_more_classes_or_of_none_is_refused(bench: Bench, tmp_path: Path) -> None:
    import skops.io  # noqa: PLC0415 - only here
    from sklearn.svm import LinearSVC  # noqa: PLC0415 - only here

    x = brought.matrix()
    skops.io.dump(LogisticRegression().fit(x, np.arange(400) % 3), tmp_path / "three.skops")
    skops.io.dump(LinearSVC().fit(x, brought.labels()), tmp_path / "svc.skops")

    assert "two classes" in bench.refused(tmp_path / "three.skops", columns=COLUMNS, **ROLES)
    assert "predict_proba" in bench.refused(tmp_path / "svc.skops", columns=COLUMNS, **ROLES)


def test_a_regression_is_one_and_classes_with_names_say_which_is_true(bench: Bench, tmp_path: Path) -> None:
    import skops.io  # noqa: PLC0415 - only here

    x = brought.matrix()
    skops.io.dump(LinearRegression().fit(x, x[:, 2] * 2), tmp_path / "line.skops")
    skops.io.dump(LogisticRegression().fit(x, np.where(brought.labels(), "yes", "no")), tmp_path / "named.skops")
    line = bench.bring(tmp_path / "line.skops", columns=COLUMNS, key="visitor", outcome="spent")

    assert line.blueprint.model.task == "regression"
    assert line.blueprint.outcome.returns is FieldKind.FLOAT
    named = bench.bring(tmp_path / "named.skops", columns=COLUMNS, **ROLES)
    assert "true stands for the class yes" in named.notes


# --- functions -------------------------------------------------------------------------------------------------------


def test_a_function_of_a_script_gets_its_values_as_they_are(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    found = bench.bring(f"{tmp_path}/script.py:score", task="binary", timezone="Europe/Amsterdam", **ROLES)
    fields = {field.name: field.kind for field in found.blueprint.request.fields}

    assert fields == {
        "visitor": FieldKind.TEXT,
        "seen_at": FieldKind.TIME,
        "age": FieldKind.INT,
        "spent": FieldKind.FLOAT,
        "country": FieldKind.TEXT,
    }
    (feature,) = found.blueprint.features.features
    assert [(one.parameter, one.kind) for one in feature.inputs] == [
        (name, InputKind.FIELD) for name in ("age", "spent", "country", "seen_at")
    ]
    scope: dict[str, Any] = {}
    exec(SCRIPT, scope)  # noqa: S102 - the script itself, as it always ran
    local = clicks().with_columns(pl.col("seen_at").dt.convert_time_zone("Europe/Amsterdam"))
    asked = local.select("age", "spent", "country", "seen_at").rows()
    assert bench.answers(found).tolist() == [scope["score"](*row) for row in asked]
    assert (found.kind, found.format, found.fitted) == ("function", "python/1", "score (a function)")


def test_a_function_that_says_true_or_false_needs_no_task(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    found = bench.bring(f"{tmp_path}/script.py:decide", **ROLES)

    assert found.blueprint.model.task == "binary"
    assert set(bench.answers(found).tolist()) == {0.0, 1.0}


BAD_FUNCTIONS: dict[str, tuple[str, str]] = {
    "one that calls another": ("chained", "literals and math only"),
    "one that is not there": ("scores", "Did you mean 'score'"),
    "one that is no function": ("REGULAR", "has no function REGULAR"),
}


@pytest.mark.parametrize("what", BAD_FUNCTIONS)
def test_a_function_that_can_not_be_kept_is_refused_in_words(bench: Bench, tmp_path: Path, what: str) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    name, said = BAD_FUNCTIONS[what]

    assert said in bench.refused(f"{tmp_path}/script.py:{name}", task="binary", **ROLES)


def test_a_script_that_does_not_load_and_a_function_that_fails_are_told(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    (tmp_path / "failing.py").write_text("def score(age: int) -> float:\n    return 1 / (age - age)\n")

    assert "nothing_of_that_name" in bench.refused(f"{tmp_path}/broken.py:score", task="binary")
    assert "ZeroDivisionError" in bench.refused(f"{tmp_path}/failing.py:score", task="binary")


# --- what is not taken -----------------------------------------------------------------------------------------------


def folder_of(path: Path, mlmodel: str, **files: bytes) -> Path:
    path.mkdir()
    (path / "MLmodel").write_text(mlmodel)
    for name, data in files.items():
        (path / name.replace("_", ".")).write_bytes(data)
    return path


PICKLES: dict[str, Callable[[Path, Path], Path]] = {
    "a pickle": lambda root, canary: _file(root / "model.pkl", pickle.dumps(Payload(canary))),
    "a pickle by another name": lambda root, canary: _file(root / "model.txt", pickle.dumps(Payload(canary))),
    "a joblib file": lambda root, canary: _dumped(root / "model.joblib", canary),
    "a joblib file that is packed": lambda root, canary: _dumped(root / "model.gz", canary, compress=3),
    "an old pickle named as a model": lambda root, canary: _file(root / "m.pickle", pickle.dumps(Payload(canary), 0)),
    "a file of PyTorch": lambda root, canary: _file(root / "model.pt", pickle.dumps(Payload(canary))),
    "an array": lambda root, _: _saved(root / "model.npy"),
    "MLflow's pickle of scikit-learn": lambda root, canary: folder_of(
        root / "m",
        "flavors:\n  sklearn:\n    pickled_model: model.pkl\n    serialization_format: cloudpickle\n",
        model_pkl=pickle.dumps(Payload(canary)),
    ),
    "MLflow's pickle that is said to be skops": lambda root, canary: folder_of(
        root / "m",
        "flavors:\n  sklearn:\n    pickled_model: model.skops\n    serialization_format: skops\n",
        model_skops=pickle.dumps(Payload(canary)),
    ),
    "MLflow's pickle that is said to be LightGBM's": lambda root, canary: folder_of(
        root / "m", "flavors:\n  lightgbm:\n    data: model.txt\n", model_txt=pickle.dumps(Payload(canary))
    ),
    "MLflow's python_function": lambda root, canary: folder_of(
        root / "m",
        "flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.model\n    python_model: python_model.pkl\n",
        model_pkl=pickle.dumps(Payload(canary)),
    ),
}


def _file(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _dumped(path: Path, canary: Path, **more: int) -> Path:
    joblib.dump(Payload(canary), path, **more)
    return path


def _saved(path: Path) -> Path:
    np.save(path, np.array([None]), allow_pickle=True)
    return path


@pytest.mark.parametrize("what", PICKLES)
def test_what_runs_when_it_is_loaded_is_refused_with_the_way_out(bench: Bench, tmp_path: Path, what: str) -> None:
    canary = tmp_path / "ran"
    path = PICKLES[what](tmp_path, canary)
    said = bench.refused(path, columns=COLUMNS, **ROLES)

    assert "skops.io.dump(joblib.load('model.joblib'), 'model.skops')" in said
    assert "no waiver" in said
    assert not canary.exists()


HOSTILE: dict[str, tuple[str, str]] = {
    "a tag that calls": ("flavors: !!python/object/apply:os.system ['touch ran']\n", "a tag"),
    "an anchor": ("flavors: &f\n  lightgbm:\n    data: x\n", "an anchor"),
    "a path that leads outside": ("flavors:\n  lightgbm:\n    data: ../../secret.txt\n", "a path inside"),
    "a path from the root": ("flavors:\n  lightgbm:\n    data: /etc/passwd\n", "a path inside"),
    "a path of dots": ("flavors:\n  lightgbm:\n    data: a/../../b\n", "a path inside"),
    "a file that is not there": ("flavors:\n  lightgbm:\n    data: model.lgb\n", "has no model.lgb"),
    "a list for a path": ("flavors:\n  lightgbm:\n    data:\n    - a\n", "a path inside"),
    "no flavours": ("artifact_path: model\n", "no flavours"),
    "flavours that are none": ("flavors: lightgbm\n", "no flavours"),
    "another flavour": ("flavors:\n  spark:\n    model_data: sparkml\n", "no flavour that can be taken"),
    "a signature nested without end": (
        f"flavors:\n  lightgbm:\n    data: x\nsignature:\n  inputs: '{'[' * 100_000}'\n",
        "signature",
    ),
    "nothing": ("", "no flavours"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_an_mlmodel_that_leads_elsewhere_is_refused_and_runs_nothing(bench: Bench, tmp_path: Path, what: str) -> None:
    (tmp_path / "secret.txt").write_text(brought.lightgbm_text())
    text, expected = HOSTILE[what]
    folder = folder_of(tmp_path / "m", text, x=b"x")
    wanted = ImportAsked(path=str(folder), example=str(tmp_path / "secret.txt"), name="m", roles=Roles())
    shutil.copytree(folder, bench.scratch / "model")
    with Watch(tmp_path) as seen, pytest.raises(LockgateError) as refused:
        bring_in(bench.scratch, bench.scratch, {"asked": wanted.plain()}, None)

    assert expected in str(refused.value)
    assert seen.harm() == []


def test_a_folder_with_a_link_or_without_an_mlmodel_is_not_taken(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "m", "flavors:\n  lightgbm:\n    data: model.txt\n")
    (tmp_path / "rows.csv").write_text("a\n1\n")
    asked = ImportAsked(path=str(folder), example=str(tmp_path / "rows.csv"), name="m", roles=Roles())
    for link in (folder / "model.txt", folder / "inner"):
        link.symlink_to("/etc/passwd" if link.suffix else "/etc")
        with pytest.raises(Invalid, match="no plain file"):
            look_at(asked)
        link.unlink()
    (folder / "MLmodel").unlink()
    with pytest.raises(Invalid, match="an MLflow model folder"):
        look_at(asked)


def test_what_is_brought_must_be_there_and_have_a_name(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a\n1\n")
    asked = ImportAsked(path=str(tmp_path / "m.txt"), example=str(tmp_path / "rows.csv"), name="m", roles=Roles())
    with pytest.raises(NotFound, match=r"m\.txt"):
        look_at(asked)
    (tmp_path / "m.txt").write_text("tree\n")
    for name in ("../m", "M m", ""):
        with pytest.raises(Invalid, match="name of an endpoint"):
            look_at(msgspec.structs.replace(asked, name=name))
    with pytest.raises(Invalid, match="no such task"):
        look_at(msgspec.structs.replace(asked, task="ranking"))
    tree = look_at(asked).tree
    (tmp_path / "rows.csv").write_text("a\n2\n")
    assert look_at(asked).tree != tree, "the example rows are part of what is brought"


OTHERS = {
    "text": b"hello",
    "nothing": b"",
    "an archive of something": None,
    "text of LightGBM that is not whole": b"tree\nversion=v4\n",
    "JSON of something": json.dumps({"a": 1}).encode(),
    "UBJSON that ends early": b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner",
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_file_that_is_no_model_is_refused_in_words(bench: Bench, tmp_path: Path, what: str) -> None:
    data = OTHERS[what]
    if data is None:
        shutil.make_archive(str(tmp_path / "archive"), "zip", tmp_path, ".")
        data = (tmp_path / "archive.zip").read_bytes()
    (tmp_path / "model.bin").write_bytes(data)

    assert "expected" in bench.refused(tmp_path / "model.bin", columns=COLUMNS, **ROLES)


def test_final_after_and_owner_and_threshold_are_kept(bench: Bench, tmp_path: Path) -> None:
    FILES["model.txt"](tmp_path / "model.txt")
    found = bench.bring(
        tmp_path / "model.txt", threshold=0.3, owner="growth", final_after=timedelta(hours=2), **ROLES
    ).blueprint

    assert (found.model.threshold, found.owner, found.outcome.final_after) == (0.3, "growth", timedelta(hours=2))


def test_example_rows_that_break_a_rule_keep_the_gate_of_data_shut(bench: Bench, tmp_path: Path) -> None:
    FILES["model.txt"](tmp_path / "model.txt")
    rows = clicks().with_columns(visitor=pl.lit("v0001"), spent=pl.lit(1.0))
    found = bench.bring(tmp_path / "model.txt", rows, **ROLES)
    verdicts = {f"{report.place} {one.rule}": one.verdict for report in found.reports for one in report.results}

    assert verdicts["example as kept unique(visitor)"] is Verdict.FAIL
    assert verdicts["matrix varies(spent)"] is Verdict.WARN
    plain = bench.bring(tmp_path / "model.txt", clicks().drop("clicked"), key="visitor", asked_at="seen_at")
    assert {report.verdict for report in plain.reports} == {Verdict.PASS}


def test_weights_say_what_is_wanted_where_nobody_builds_their_module(bench: Bench, tmp_path: Path) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "net.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    (tmp_path / "net.py").write_text("def build(torch):\n    return torch.nn.Linear(1, 1)\n")

    assert "--build script.py:function" in bench.refused(tmp_path / "net.safetensors", columns=COLUMNS, **ROLES)
    said = bench.refused(tmp_path / "net.safetensors", build=f"{tmp_path}/net.py:build", columns=COLUMNS, **ROLES)
    assert "lockgate[torch]" in said or "do not fit" in said


def test_gates_of_a_file_are_compiled_as_those_of_a_project(bench: Bench, tmp_path: Path) -> None:
    FILES["model.txt"](tmp_path / "model.txt")
    (tmp_path / "gates.py").write_text("import lockgate as lg\ngates = [lg.no_worse_than_live('brier', by=0.1)]\n")
    (tmp_path / "wrong.py").write_text("import lockgate as lg\ngates = [lg.metric('mae', at_most=1, by='nothing')]\n")
    (tmp_path / "none.py").write_text("gate = 1\n")
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    found = bench.bring(tmp_path / "model.txt", gates=str(tmp_path / "gates.py"), **ROLES)

    assert found.blueprint.gates[-1].kind == "no_worse_than_live"
    said = bench.refused(tmp_path / "model.txt", gates=str(tmp_path / "wrong.py"), **ROLES)
    assert "a metric for a binary outcome" in said
    assert "'nothing'" in said
    assert "declares no gates" in bench.refused(tmp_path / "model.txt", gates=str(tmp_path / "none.py"), **ROLES)
    assert "does not load" in bench.refused(tmp_path / "model.txt", gates=str(tmp_path / "broken.py"), **ROLES)
