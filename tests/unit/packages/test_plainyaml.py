"""Of YAML that part is read which programs write; whatever could be more than data is refused, by line."""

import random
from typing import Any

import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import assume, given

from lockgate.kernel.errors import LockgateError, Malformed, TooLarge
from lockgate.packages.brought.plainyaml import LARGEST, read_plain_yaml

MLMODEL = """\
flavors:
  lightgbm:
    code: null
    data: model.lgb
    skops_trusted_types:
    - lightgbm.sklearn.LGBMClassifier
    - collections.OrderedDict
  python_function:
    env:
      conda: conda.yaml
# what follows is MLflow's own
mlflow_version: 3.17.2
metadata:
  empty: {}
  list:
  - 1
  - a: null
    b: no
signature:
  inputs: '[{"type": "double", "name": "it''s a \\"name\\": # and more", "required":
    true}]'
  note: "a line\\n\\
    \\ of \\xE9"
utc_time_created: '2026-11-25 10:59:07.696708'
"""


def read(text: str) -> Any:  # noqa: ANN401 - whatever it says
    return read_plain_yaml(text.encode(), "MLmodel")


def test_what_mlflow_writes_is_read_as_texts() -> None:
    found = read(MLMODEL)

    assert found["flavors"]["lightgbm"] == {
        "code": None,
        "data": "model.lgb",
        "skops_trusted_types": ["lightgbm.sklearn.LGBMClassifier", "collections.OrderedDict"],
    }
    assert found["metadata"] == {"empty": {}, "list": ["1", {"a": None, "b": "no"}]}
    assert found["signature"] == {
        "inputs": '[{"type": "double", "name": "it\'s a \\"name\\": # and more", "required": true}]',
        "note": "a line\n of \xe9",
    }
    assert found["mlflow_version"] == "3.17.2"


LEAVES = st.none() | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=120)
KEYS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_ .-]{0,12}[a-z]", fullmatch=True)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4), st.booleans())
def test_whatever_a_writer_of_yaml_makes_of_texts_is_read_as_it_was(value: dict[str, Any], plain: bool) -> None:
    text = yaml.safe_dump(value, allow_unicode=plain)
    assume("? " not in text)  # a key so long that it is complex
    assume("\ufeff" not in text)

    assert read(text) == value


REFUSED = {
    "a tag that calls": ("!!python/object/apply:os.system ['touch ran']", "line 1", "a tag"),
    "a tag behind a key": ("a: b\nc: !!python/name:os.system", "line 2", "a tag"),
    "a tag in a list": ("a:\n- !!binary aGk=", "line 2", "a tag"),
    "an anchor": ("a: &x b", "line 1", "an anchor"),
    "an alias": ("a: b\nc: *x", "line 2", "an alias"),
    "a merge": ("a:\n  <<: b", "line 2", "no key"),
    "a directive": ("%YAML 1.2\na: b", "line 1", "a directive"),
    "a second document": ("a: b\n---\nc: d", "line 2", "several documents"),
    "a block text": ("a: |\n  x", "line 1", "a block text"),
    "a flow mapping": ("a: {b: c}", "line 1", "a flow mapping"),
    "a flow list": ("a: [1, 2]", "line 1", "a flow list"),
    "a complex key": ("? a\n: b", "line 1", "a complex key"),
    "a mapping inside of a text": ("a: b: c", "line 1", "inside of a text"),
    "a comment behind a text": ("a: b # c", "line 1", "inside of a text"),
    "a tab": ("a: b\n\tc: d", "line 2", "a tab"),
    "a text that does not end": ("a: 'x\n\n", "line 1", "without its closing quote"),
    "something behind a text": ("a: 'x' y", "line 1", "behind the closing quote"),
    "an escape that is none": ('a: "\\q"', "line 1", "the escape"),
    "a character that is none": ('a: "\\UFFFFFFFF"', "line 1", "the escape"),
    "a key that comes twice": ("a: 1\nb: 2\na: 3", "line 3", "a second time"),
    "an indentation under a text": ("a: b\nc:\n    d: e\n  f: g", "line 4", "no key"),
    "an indentation at the beginning": ("  a: b", "line 1", "nothing stands under"),
    "a list and a mapping at once": ("- a\nb: c", "line 2", "nothing stands under"),
    "no mapping": ("hello", "line 1", "no key"),
    "levels without end": ("a:\n" + "".join(" " * level + "a:\n" for level in range(1, 200)), "levels", "20"),
    "lists without end": ("- " * 500 + "a", "line 1", "20 levels"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_could_be_more_than_data_is_refused_by_its_line(what: str) -> None:
    text, *said = REFUSED[what]

    with pytest.raises(Malformed) as refused:
        read(text)
    for part in said:
        assert part in str(refused.value)


def test_a_file_that_is_too_large_or_no_text_is_refused() -> None:
    with pytest.raises(TooLarge):
        read("a" * (LARGEST + 1))
    with pytest.raises(Malformed, match="no text"):
        read_plain_yaml(b"a: \xff", "MLmodel")


def test_an_empty_document_says_nothing() -> None:
    assert read("") is None
    assert read("# only a comment\n\n") is None


def test_whatever_is_read_is_read_or_refused_and_quickly() -> None:
    chance = random.Random(0)
    for _ in range(5_000):
        text = "".join(chance.choice("ab:'\"-[]{}!&*|>?#\\\n \n  x1") for _ in range(chance.randint(0, 40)))
        try:
            read(text)
        except LockgateError as refused:
            assert "line" in str(refused)  # noqa: PT017 - most are refused, some are read
    with pytest.raises(Malformed):
        read("a: '" + "x\n" * 300_000)
