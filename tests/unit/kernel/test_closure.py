"""A function is kept as source over literals, means the same when opened again, and whatever could make it mean
something else is refused.
"""

import math
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lockgate.kernel.bounded import GUARDS
from lockgate.kernel.closure import ERRORS_THAT_MEAN_NULL, close, open_closed
from lockgate.kernel.errors import Invalid
from tests.making.functions import function_in

REFUSED = {
    "it imports": ("def f(x):\n    import os\n    return x", "import"),
    "it imports from": ("def f(x):\n    from os import path\n    return x", "importfrom"),
    "it reads a module": ("import os\ndef f(x):\n    return os.sep", "os, a module"),
    "it reads a function of math by another name": ("from math import sqrt\ndef f(x):\n    return sqrt(x)", "sqrt, a"),
    "it reads math by another name": ("import math as m\ndef f(x):\n    return m.sqrt(x)", "m, a module"),
    "it calls another function": ("def g(x):\n    return x\ndef f(x):\n    return g(x)", "g, a function"),
    "it reads an object": ("import datetime\nD = datetime.date(2013, 1, 1)\ndef f(x):\n    return D", "D, a date"),
    "it reads NaN": ("N = float('nan')\ndef f(x):\n    return N", "N, a float"),
    "it reads an object in a list": ("N = [1, object()]\ndef f(x):\n    return N", "N, a list"),
    "it reads an empty set": ("N = set()\ndef f(x):\n    return N", "N, a set"),
    "it reads bytes": ("N = b'x'\ndef f(x):\n    return N", "N, a bytes"),
    "it reads an enum that is an int": (
        "import enum\nclass E(enum.IntEnum):\n    A = 1\nN = E.A\ndef f(x):\n    return N",
        "N, a E",
    ),
    "it reads a float of NumPy": ("import numpy\nN = numpy.float64(0.5)\ndef f(x):\n    return N", "N, a float64"),
    "it reads a defaultdict": (
        "from collections import defaultdict\nN = defaultdict(int, a=1)\ndef f(x):\n    return N[x]",
        "N, a defaultdict",
    ),
    "it reads what nothing defines": ("def f(x):\n    return y", "nothing defines"),
    "it prints": ("def f(x):\n    print(x)", "nothing defines"),
    "it opens a file": ("def f(x):\n    return open(x)", "nothing defines"),
    "it evaluates": ("def f(x):\n    return eval(x)", "nothing defines"),
    "it looks attributes up by name": ("def f(x):\n    return getattr(x, 'year')", "nothing defines"),
    "it hashes": ("def f(x):\n    return hash(x)", "nothing defines"),
    "a comprehension's name is read outside of it": (
        "def f(x):\n    return [y for y in x] + [y]",
        "nothing defines",
    ),
    "it shadows a builtin with a function": (
        "def max(a):\n    return 0\ndef f(x):\n    return max(x)",
        "max, a function",
    ),
    "it shadows a builtin with one of math": (
        "from math import pow\ndef f(x):\n    return pow(x, 2)",
        "pow, a builtin",
    ),
    "it reads the clock": ("def f(x):\n    return x.now()", ".now"),
    "it reads today": ("def f(x):\n    return x.today()", ".today"),
    "it reads the machine's zone": ("def f(x):\n    return x.astimezone().hour", ".astimezone"),
    "it formats, which reaches attributes": ("def f(x):\n    return '{0.__class__}'.format(x)", ".format"),
    "it reaches behind underscores": ("def f(x):\n    return x.__class__", ".__class__"),
    "it reaches behind one underscore": ("def f(x):\n    return x._hidden", "._hidden"),
    "it reads a dunder": ("def f(x):\n    return __name__", "__name__"),
    "it has a lambda": ("def f(x):\n    return (lambda y: y)(x)", "lambda"),
    "it defines a function": ("def f(x):\n    def g():\n        return x\n    return g()", "functiondef"),
    "it defines a class": ("def f(x):\n    class C:\n        pass\n    return C", "classdef"),
    "it yields": ("def f(x):\n    yield x", "yield"),
    "it opens a context": ("def f(x):\n    with x:\n        return 1", "with"),
    "it writes a global": ("N = 1\ndef f(x):\n    global N\n    N = x", "global"),
    "it takes any arguments": ("def f(*x):\n    return x", "*, ** or keyword-only"),
    "it takes any keywords": ("def f(**x):\n    return x", "*, ** or keyword-only"),
    "it takes keywords only": ("def f(*, x):\n    return x", "*, ** or keyword-only"),
    "it takes positions only": ("def f(x, /):\n    return x", "*, ** or keyword-only"),
    "it is a lambda": ("f = lambda x: x", "none"),
    "it is a coroutine": ("async def f(x):\n    return x", "none"),
    "it is a builtin": ("f = len", "something else"),
    "it is a class": ("class f:\n    pass", "something else"),
    "it captures a variable": (
        "def make():\n    n = 1\n    def f(x):\n        return x + n\n    return f\nf = make()",
        "one that captures n",
    ),
    "it was made from no file": ("exec('def f(x):\\n    return x')", "none"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_function_that_could_mean_something_else_is_refused(tmp_path: Path, what: str) -> None:
    text, found = REFUSED[what]

    with pytest.raises(Invalid) as refused:
        close(function_in(tmp_path, text))

    assert found in " ".join(fault.found for fault in refused.value.faults)


def test_everything_that_is_wrong_is_said_at_once_and_where(tmp_path: Path) -> None:
    text = "import os\ndef f(x):\n    import sys\n    y = os.sep\n    return (lambda: x._y)()\n"

    with pytest.raises(Invalid) as refused:
        close(function_in(tmp_path, text))

    found = {fault.found for fault in refused.value.faults}
    assert found == {"import", "lambda", "._y", "os, a module"}
    assert f"{tmp_path / 'written.py'}:2" in {fault.at for fault in refused.value.faults}


HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**300, max_value=10**320),
    st.floats(),
    st.text(max_size=8),
    st.datetimes(timezones=st.just(UTC)),
    st.lists(st.integers(-5, 5), max_size=4),
)

ACCEPTED = {
    "it adds": "def f(x, y):\n    return x + y",
    "it divides": "def f(x, y):\n    return x / y",
    "it reads literals": (
        "A = 3\nB = -0.5\nC = 'a\\n\\u20ac'\nD = {'k': [1, (2,)], 4: None}\nE = True\nF = frozenset({2, 1})\n"
        "def f(x, y):\n    return A, B, C, D, E, sorted(F), ()"
    ),
    "it reads math": "import math\ndef f(x, y):\n    return math.sqrt(x) + math.pi",
    "it has annotations, defaults, a decorator and a docstring": (
        "def mark(g):\n    return g\n@mark\ndef f(x: 'int | None', y: float = 2) -> list:\n"
        "    '''Say it.'''\n    'Say it again.'\n    # a comment\n    return [x, y]"
    ),
    "it loops": "def f(x, y):\n    total = 0\n    for one in x:\n        total += one\n    return total * y",
    "it has comprehensions": (
        "def f(x, y):\n    return [a * b for a in x for b in [y] if a], {k: v for k, v in [(x, y)]}"
    ),
    "it names a value inside an expression": "def f(x, y):\n    return (z := x) and z < y",
    "it matches": (
        "def f(x, y):\n    match x:\n        case int(n):\n            return n\n"
        "        case [first, *rest]:\n            return first, rest\n        case _:\n            return y"
    ),
    "it catches errors": (
        "def f(x, y):\n    try:\n        return x / y\n"
        "    except ZeroDivisionError as error:\n        return str(error)"
    ),
    "it raises": "def f(x, y):\n    if x != y:\n        raise ValueError(str(x))\n    return x",
    "it asserts": "def f(x, y):\n    assert x == x, 'no'\n    return y",
    "it slices, formats and compares": "def f(x, y):\n    return f'{x!r:>9}' + str(y)[1:], x == y, x is None",
    "it writes a moment": "def f(x, y):\n    return f'{x.year}-{x.month:02}', x.timetuple().tm_yday, x.isocalendar()",
    "it reads a moment": "def f(x, y):\n    return x.hour * 60 + x.minute, x.weekday()",
    "it converts": "def f(x, y):\n    return int(x), float(y), round(x, 2), abs(y)",
    "it calls itself a name of a literal": "math = 5\ndef f(x, y):\n    return math",
    "it unpacks and deletes": "def f(x, y):\n    a, *b = x\n    del a\n    return b",
    "a comprehension's name is a global elsewhere": "n = 7\ndef f(x, y):\n    return [n for n in (x, y)], n",
    "it is indented": "if True:\n    def f(x, y):\n        return x",
    "it does nothing": "def f(x, y):\n    '''Say nothing.'''",
    "its source runs over lines": "def f(\n    x,\n    y,\n):\n    return (\n        x,\n        y,\n    )",
}


def came_to(function: Callable[..., Any], *given: object) -> object:
    """Give the value, or the error, in a form that tells NaN from NaN of another sign and 1 from 1.0 and True."""
    try:
        return repr(function(*given))
    except Exception as error:  # noqa: BLE001 - which one it is, is what is compared
        return type(error), str(error)


PAIRS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {}


@pytest.fixture(scope="module", autouse=True)
def pairs(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Close and open every accepted function, once."""
    for what, text in ACCEPTED.items():
        original = function_in(tmp_path_factory.mktemp("closed"), text)
        PAIRS[what] = original, open_closed("f", *close(original))


@pytest.mark.parametrize("what", ACCEPTED)
@given(x=HOSTILE, y=HOSTILE)
@example(x=1, y=0)
@example(x=[1, 2], y=3)
@example(x=datetime(2012, 2, 29, 23, 59, 59, 999999, tzinfo=UTC), y=timedelta(days=1))
@example(x=-0.0, y=0.0)
@example(x=math.nan, y=math.inf)
def test_an_opened_function_gives_what_the_original_gives_errors_included(what: str, x: object, y: object) -> None:
    original, opened = PAIRS[what]

    found = came_to(opened, x, y)
    # What is beyond is not tried on the original: nothing bounds that, and it may take all memory.
    assert "beyond what a closed function may take" in str(found) or found == came_to(original, x, y)


@pytest.mark.parametrize("what", ACCEPTED)
def test_closing_an_opened_functions_text_changes_nothing(tmp_path: Path, what: str) -> None:
    source, literals = close(function_in(tmp_path, ACCEPTED[what]))
    header = "".join(f"{name} = {text}\n" for name, text in literals.items())
    header += "" if "math" in literals else "import math\n"
    (tmp_path / "again").mkdir()

    assert close(function_in(tmp_path / "again", header + source)) == (source, literals)


SAME = {
    "a comment": "N = 2\ndef f(x):\n    # why\n    return x + N  # so",
    "a docstring": 'N = 2\ndef f(x):\n    """Why."""\n    return x + N',
    "annotations": "N = 2\ndef f(x: int) -> int:\n    return x + N",
    "line breaks and brackets": "N = 2\ndef f(x):\n    return (\n        x\n        + N\n    )",
    "its place in the file": "\n\n\nN = 2\nM = 3\n\n\ndef f(x):\n    return x + N",
    "how a literal is written": "N = 0x2\ndef f(x):\n    return x + N",
}
OTHER = {
    "another literal": "N = 3\ndef f(x):\n    return x + N",
    "a literal of another type": "N = 2.0\ndef f(x):\n    return x + N",
    "another expression": "N = 2\ndef f(x):\n    return N + x",
    "another parameter": "N = 2\ndef f(y):\n    return y + N",
}
PLAIN = "N = 2\ndef f(x):\n    return x + N"


@pytest.mark.parametrize("what", [*SAME, *OTHER])
def test_what_decides_the_value_is_kept_and_nothing_else(tmp_path: Path, what: str) -> None:
    (tmp_path / "plain").mkdir()
    plain = close(function_in(tmp_path / "plain", PLAIN))
    found = close(function_in(tmp_path, (SAME | OTHER)[what]))

    assert (found == plain) is (what in SAME)


def test_a_set_is_kept_in_one_order_whatever_the_hash_seed(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("N = {'a', 'b', 'c', 'd', 'e'}\ndef f(x):\n    return x in N\n")
    script = "from lockgate.kernel.closure import close; import m; print(close(m.f))"
    found = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }

    assert len(found) == 1


UNOPENED: dict[str, tuple[str, str, dict[str, str]]] = {
    "another name": ("g", "def f(x):\n    return x", {}),
    "two functions": ("f", "def f(x):\n    return x\ndef g(x):\n    return x", {}),
    "a statement beside it": ("f", "x = 1\ndef f(x):\n    return x", {}),
    "no function": ("f", "f = 1", {}),
    "a global without a literal": ("f", "def f(x):\n    return y", {}),
    "an import": ("f", "def f(x):\n    import os\n    return os", {}),
    "a dunder": ("f", "def f(x):\n    return x.__class__", {}),
    "a builtin that is not allowed": ("f", "def f(x):\n    return open(x)", {}),
    "a decorator": ("f", "@abs\ndef f(x):\n    return x", {}),
    "a builtin that only methods of values reach": ("f", "def f(x):\n    return __import__(x)", {}),
    "an annotation that would be evaluated": ("f", "def f(x: 1 / 0):\n    return x", {}),
    "a default that would be evaluated": ("f", "def f(x=1 / 0):\n    return x", {}),
}


@pytest.mark.parametrize("what", UNOPENED)
def test_what_close_would_not_have_given_is_not_opened(what: str) -> None:
    name, source, literals = UNOPENED[what]

    with pytest.raises(Invalid):
        open_closed(name, source, literals)


def test_an_opened_function_reaches_nothing_but_its_builtins() -> None:
    opened = open_closed("f", "def f(x):\n    return x", {})

    assert not {"open", "eval", "exec", "getattr", "print"} & set(opened.__globals__["__builtins__"])
    assert set(opened.__globals__) == {"f", "math", "__builtins__", *GUARDS}


def test_only_errors_of_a_value_mean_null() -> None:
    meant: list[type[Exception]] = [
        TypeError,
        ValueError,
        ZeroDivisionError,
        OverflowError,
        AttributeError,
        KeyError,
        IndexError,
    ]
    meant += [UnboundLocalError, RecursionError, AssertionError, UnicodeEncodeError]

    assert all(issubclass(kind, ERRORS_THAT_MEAN_NULL) for kind in meant)
    for kind in (MemoryError, KeyboardInterrupt, SystemExit, OSError, ImportError):
        assert not issubclass(kind, ERRORS_THAT_MEAN_NULL)
