"""The page about features is right: its blocks are a project, its refusals are refused, its bounds are the bounds."""

import re
import sys
from pathlib import Path

import pytest

from lockgate.features import shards
from lockgate.features.online import fuse
from lockgate.kernel.bounded import BITS, SIZE, STEPS
from lockgate.kernel.closure import open_closed
from lockgate.kernel.errors import Invalid
from lockgate.project.blueprint import Blueprint
from lockgate.project.load import load
from tests.making.parcels import make_project
from tests.making.projects import traceless

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/how-to/write-a-feature.md").read_text(encoding="utf-8")
FIRST, NULLS, AGAIN, SHARED = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def project(folder: Path, *blocks: str, listed: str) -> Blueprint:
    made = make_project(folder)
    (made / "features_of_parcels.py").write_text(SHARED)
    text = (made / "project.py").read_text()
    text = text.replace("import tables\n", "import tables\nfrom features_of_parcels import size_class\n")
    text = re.sub(
        r"@project.feature\ndef hour.*?(?=@project.feature\ndef heavy)", "\n".join(blocks), text, flags=re.DOTALL
    )
    (made / "project.py").write_text(text.replace("hour, heavy,", f"hour, heavy, {listed},"))
    with traceless():
        sys.modules.pop("features_of_parcels", None)
        return load(made).blueprint


def test_the_features_of_the_page_are_a_project(tmp_path: Path) -> None:
    found = project(tmp_path, FIRST, NULLS, listed="at_night, weight_per_hand, is_heavy, size_class")
    fused = fuse(found.request, found.features)
    columns = [column.name for column in found.features.columns]
    notes = {note.feature: note for note in found.feature_notes}

    assert {"at_night", "weight_per_hand", "is_heavy", "size_class"} <= set(columns)
    assert notes["size_class"].registered == "size_class"
    assert notes["at_night"].description == "Whether it was sent at night."
    assert fused.__name__ == "fused"


def test_version_two_of_the_page_means_something_else(tmp_path: Path) -> None:
    before = project(tmp_path / "before", FIRST, listed="at_night")
    parts = FIRST.split("@project.feature")
    after = project(tmp_path / "after", "@project.feature".join(parts[:2]), AGAIN, listed="at_night")
    meant = [{one.name: one for one in found.features.features}["at_night"] for found in (before, after)]

    assert [one.version for one in meant] == [1, 2]
    opened = [open_closed("at_night", one.code.source, one.code.literals) for one in meant]
    assert [one(23) for one in opened] == [False, True]


REFUSED = {
    "now()": "return x.now()",
    "today()": "return x.today()",
    "timestamp()": "return x.timestamp()",
    "astimezone()": "return x.astimezone()",
    "strftime()": "return x.strftime('%B')",
    "strptime()": "return x.strptime('May', '%B')",
    'f"{x:n}"': "return f'{x:n}'",
    "is": "return x is x",
    "id()": "return id(x)",
    "hash()": "return hash(x)",
    "except:": "try:\n        return 1\n    except:\n        return 2",
    "math.factorial": "return math.factorial(x)",
    "comb": "return math.comb(x, 2)",
    "perm": "return math.perm(x)",
    "prod": "return math.prod(x)",
    "lcm": "return math.lcm(x)",
}


def test_what_the_page_says_is_refused_is_tried_here() -> None:
    rows = re.findall(r"^\| (.*?) \|.*\|.*\|$", PAGE[PAGE.index("| refused |") :], re.MULTILINE)[2:]

    assert {code for row in rows for code in re.findall(r"`(.*?)`", row)} == set(REFUSED)


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_page_says_is_refused_is(what: str) -> None:
    with pytest.raises(Invalid):
        open_closed("f", f"def f(x):\n    {REFUSED[what]}", {})


def test_the_bounds_of_the_page_are_those_of_the_code() -> None:
    for bound in (STEPS, BITS, SIZE, 2 * shards.ENOUGH):
        assert f"{bound:,}" in PAGE
