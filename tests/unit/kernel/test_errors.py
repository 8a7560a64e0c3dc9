"""An error says what was refused, what was expected and found, and the way out, in words and as values."""

import json
import re

import pytest

from lockgate.kernel import errors
from lockgate.kernel.errors import Broken, Conflict, Fault, Invalid, LockgateError, NotFound, Refused

TREE = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, LockgateError) and kind is not LockgateError
}

SENTENCES = {
    "all of it": (
        Conflict("Cannot point x@live at 7f3a", expected="51c0", found="9be2", way_out="Read it again."),
        "Cannot point x@live at 7f3a (expected 51c0, found 9be2). Read it again.",
    ),
    "what was found alone": (NotFound("There is no x", found="y"), "There is no x (found y)."),
    "what was expected alone": (NotFound("There is no x", expected="y"), "There is no x (expected y)."),
    "the refusal alone": (Refused("No"), "No."),
    "each fault on its own line": (
        Invalid(
            "Two rows are wrong",
            faults=(
                Fault(at="rows[0].origin", expected="text", found="7"),
                Fault(at="rows[3].carier", expected="a known field", found="carier", hint="Did you mean 'carrier'?"),
            ),
        ),
        """Two rows are wrong.
  rows[0].origin: expected text, found 7
  rows[3].carier: expected a known field, found carier. Did you mean 'carrier'?""",
    ),
}


@pytest.mark.parametrize("what", SENTENCES)
def test_an_error_tells_the_whole_story(what: str) -> None:
    error, expected = SENTENCES[what]

    assert str(error) == expected


def test_a_problem_document_carries_the_values_and_is_json() -> None:
    fault = Fault(at="rows[0].origin", expected="text", found="7")
    error = Invalid("One row is wrong", expected="rows", found="others", way_out="Mend them.", faults=(fault,))

    assert json.loads(json.dumps(error.problem())) == {
        "type": "urn:lockgate:error:invalid",
        "title": "One row is wrong",
        "status": 422,
        "detail": "One row is wrong (expected rows, found others). Mend them.",
        "expected": "rows",
        "found": "others",
        "way_out": "Mend them.",
        "errors": [{"at": "rows[0].origin", "expected": "text", "found": "7"}],
    }


def test_a_problem_document_leaves_out_what_there_is_nothing_to_say_of() -> None:
    assert Refused("No").problem() == {
        "type": "urn:lockgate:error:refused",
        "title": "No",
        "status": 400,
        "detail": "No.",
    }


def test_the_tree_is_drawn_as_it_stands_with_every_status() -> None:
    drawn = {
        name: int(status) if status else None
        for name, status in re.findall(r"[├└]── (\w+) +(?:(\d{3}) )?", errors.__doc__ or "")
    }

    assert set(drawn) == set(TREE)
    for name, status in drawn.items():
        if status is not None:
            assert TREE[name].status == status, name
        assert issubclass(TREE[name], Refused | Broken)


def test_every_error_is_public_and_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in TREE.values()]

    assert set(TREE) <= set(errors.__all__)
    assert len(set(codes)) == len(codes)


def test_what_the_caller_can_mend_has_a_status_of_the_caller_and_the_rest_of_the_server() -> None:
    assert {kind.status // 100 for kind in TREE.values() if issubclass(kind, Refused)} == {4}
    assert {kind.status // 100 for kind in TREE.values() if issubclass(kind, Broken)} == {5}
