"""Functions that look harmless and depend on more than their arguments: each is refused, or has one meaning."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lockgate.kernel.closure import close, open_closed
from lockgate.kernel.errors import Invalid
from tests.making.functions import function_in

REFUSED = {
    # the clock
    "it takes today from a value": ("def f(t):\n    return (t - t.now(t.tzinfo)).days", ".now"),
    "a pattern takes the clock from a value": (
        "def f(x):\n    match x:\n        case int(now=n):\n            return n()",
        ".now",
    ),
    "it makes a time from seconds, in the machine's zone": (
        "def f(t):\n    return t.fromtimestamp(0).hour",
        ".fromtimestamp",
    ),
    # the machine
    "it reads the machine's zone through a time without one": (
        "def f(t):\n    return t.replace(tzinfo=None).timestamp()",
        ".timestamp",
    ),
    "it writes a month's name in the locale's language": ("def f(t):\n    return t.strftime('%B')", ".strftime"),
    "it reads a month's name in the locale's language": ("def f(t):\n    return t.strptime('May', '%b')", ".strptime"),
    "a format writes a day's name in the locale's language": ("def f(t):\n    return f'{t:%A}'", "'%A'"),
    "a format groups digits as the locale does": ("def f(x):\n    return f'{x:n}'", "'n'"),
    "a format comes from a value": ("def f(x, y):\n    return f'{x:{y}}'", "f"),
    # randomness of the process
    "it takes the first of a set": ("def f(x):\n    return list(set(x))[0]", "a set whose order"),
    "it walks a set": ("def f(x):\n    for one in {x, 'a'}:\n        return one", "a set whose order"),
    "it walks a set of the module": ("S = {'a', 'b'}\ndef f(x):\n    return [one for one in S]", "a set whose order"),
    "it walks what is common to two": ("def f(x):\n    return [*(set(x) & set('ab'))]", "a set whose order"),
    "it walks a difference of keys": ("D = {'a': 1}\ndef f(x):\n    return [*(D.keys() - x)]", "a set whose order"),
    "it pops from a set": ("def f(x):\n    return set(x).pop()", "a set whose order"),
    "it writes a set": ("def f(x):\n    return f'{set(x)}'", "a set whose order"),
    "it gives a set": ("def f(x):\n    return {x}", "a set whose order"),
    "it names a set": ("def f(x):\n    s = set(x)\n    return len(s)", "a set whose order"),
    "it unpacks a set": ("def f(x):\n    first, *rest = {*x}\n    return first", "a set whose order"),
    "it sums a set of floats": ("def f(x):\n    return sum({x, 0.1, 0.2})", "a set whose order"),
    "it breaks ties by the order of a set": ("def f(x):\n    return min(set(x), key=len)", "a set whose order"),
    "a set of texts lies in a dictionary": (
        "D = {'east': {'JFK', 'EWR'}}\ndef f(x):\n    return [*D[x]]",
        "D, a dict",
    ),
    "it hashes": ("def f(x):\n    return hash(x)", "nothing defines"),
    # identity
    "it compares identity of numbers": ("def f(x, y):\n    return x is y", "x is y"),
    "it compares identity with a text": ("N = 'a'\ndef f(x):\n    return x is not N", "x is not N"),
    "it asks for an identity": ("def f(x):\n    return id(x)", "nothing defines"),
    # memory
    "it counts its calls": ("N = [0]\ndef f(x):\n    N[0] += 1\n    return N[0]", "N[...] set"),
    "it remembers": ("N = {}\ndef f(x):\n    N[x] = x\n    return len(N)", "N[...] set"),
    "it appends to a list of the module": (
        "N = []\ndef f(x):\n    N.append(x)\n    return len(N)",
        "N changed by .append",
    ),
    "it updates a dictionary in a dictionary": (
        "N = {'a': {}}\ndef f(x):\n    N['a'].update(x)\n    return N",
        "N changed by .update",
    ),
    "it deletes from a list of the module": ("N = [1]\ndef f(x):\n    del N[0]\n    return N", "N[...] set"),
    "it changes pi": ("import math\ndef f(x):\n    math.pi = 3\n    return math.pi", ".pi set"),
    # behind the curtain
    "a pattern reaches behind underscores": (
        "def f(x):\n    match x:\n        case int(__class__=c):\n            return c",
        ".__class__",
    ),
    "a parameter takes the name of a guard": ("def f(__each):\n    return __each", "__each"),
    "an error takes the name of a guard": (
        "def f(x):\n    try:\n        return 1 / x\n    except ValueError as __step:\n        return 0",
        "__step",
    ),
    "a pattern takes the name of a guard": (
        "def f(x):\n    match x:\n        case {**__step}:\n            return 2",
        "__step",
    ),
    "it hides every error, also those of the machine": (
        "def f(x):\n    try:\n        return 1 / x\n    except:\n        return 0",
        "one that takes all",
    ),
    # without end
    "it takes a factorial": ("import math\ndef f(x):\n    return math.factorial(x)", ".factorial"),
    "it multiplies all of a range": ("import math\ndef f(x):\n    return math.prod(range(1, x))", ".prod"),
    "it pads to any width": ("def f(x, y):\n    return x.ljust(y)", "x.ljust(y)"),
    "it pads to a width that is too much": ("def f(x):\n    return x.zfill(10 ** 9)", "x.zfill"),
    "a format pads to a width that is too much": ("def f(x):\n    return f'{x:1000000000}'", "1000000000"),
    "a template pads to any width": ("def f(x, y):\n    return '%*d' % (x, y)", "%*d"),
    "a template pads to a width that is too much": ("def f(x):\n    return '%1000000000d' % x", "1000000000"),
    "it repeats in place where it can't be bounded": ("def f(x, y):\n    x[0] *= y\n    return x", "x[0] *= y"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_function_that_depends_on_more_than_its_arguments_is_refused(tmp_path: Path, what: str) -> None:
    text, found = REFUSED[what]

    with pytest.raises(Invalid) as refused:
        close(function_in(tmp_path, text))

    assert found in " ".join(fault.found for fault in refused.value.faults)


@pytest.mark.parametrize("what", [what for what, (text, _) in REFUSED.items() if text.startswith("def ")])
def test_neither_is_it_opened(what: str) -> None:
    with pytest.raises(Invalid):
        open_closed("f", REFUSED[what][0], {})


HOLDS = "HUBS = {'JFK', 'EWR', 'LGA'}\nROWS = {'a': [1, {2}], 'b': (3,)}\n"
ONE_MEANING = {
    "it asks a set what it holds": ("def f(x):\n    return x in HUBS, x not in {'a', 'b'}", "'JFK'", "(True, True)"),
    "it counts a set": ("def f(x):\n    return len(set(x)), len({*x} | HUBS)", "'abba'", "(2, 5)"),
    "it sorts a set": ("def f(x):\n    return sorted(set(x))", "'cab'", "['a', 'b', 'c']"),
    "it takes the least of a set": ("def f(x):\n    return min(set(x) - {'a'}), max(HUBS)", "'cab'", "('b', 'LGA')"),
    "it compares sets": ("def f(x):\n    return set(x) <= {'a', 'b'} and {*x} == set('ab')", "'ab'", "True"),
    "it asks whether sets meet": ("def f(x):\n    return HUBS.isdisjoint(x), not HUBS & set(x)", "'a'", "(True, True)"),
    "it makes a set of a set": ("def f(x):\n    return len({one[0] for one in HUBS})", "0", "3"),
    "it compares with None and truth": ("def f(x):\n    return x is None or x is not True", "None", "True"),
    "it reads what lies in a dictionary": ("def f(x):\n    return ROWS[x][0], 2 in ROWS['a'][1]", "'b'", "(3, True)"),
    "it writes a number": ("def f(x):\n    return f'{x:.3f}', str(x), f'{x!r:>5}'", "0.1", "('0.100', '0.1', '  0.1')"),
    "it fills a template in": ("def f(x):\n    return '%08.2f' % x, '%s' % x", "0.1", "('00000.10', '0.1')"),
    "it pads to a width that is written there": ("def f(x):\n    return x.zfill(4) + x.rjust(3)", "'7'", "'0007  7'"),
    "a name of its own hides a builtin": ("def f(x):\n    str = x\n    return str + 'a'", "'b'", "'ba'"),
    "it writes a share in percent": ("def f(x):\n    return f'{x:.1%}'", "0.5", "'50.0%'"),
    "it asks a range what it holds": ("def f(x):\n    return x in range(10 ** 12)", "7", "True"),
    "an assertion holds also where Python is told to skip them": (
        "def f(x):\n    try:\n        assert x\n    except ArithmeticError:\n        return 1\n    return 2",
        "1",
        "2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ONE_MEANING)
def test_a_function_has_one_meaning_in_every_process(tmp_path: Path, what: str) -> None:
    text, given, meant = ONE_MEANING[what]
    source, literals = close(function_in(tmp_path, HOLDS + text))
    opened = f"open_closed('f', {source!r}, {literals!r})({given})"
    script = f"from lockgate.kernel.closure import open_closed\nprint(repr({opened}))"
    found = {
        subprocess.run(
            [sys.executable, *flags, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        for seed, flags in (("0", []), ("7", ["-O"]))
    }

    assert found == {meant}


def test_an_assertion_fails_also_where_python_is_told_to_skip_them() -> None:
    script = (
        "from lockgate.kernel.closure import open_closed\n"
        "try:\n    open_closed('f', 'def f(x):\\n    assert x\\n    return 1', {})(0)\n"
        "except AssertionError:\n    print('raised')"
    )
    ran = subprocess.run([sys.executable, "-O", "-c", script], capture_output=True, check=True, text=True)

    assert ran.stdout == "raised\n"


REMEMBERS = {
    "a list under another name": ("N = [0]", "def f(x):\n    n = N\n    n.append(x)\n    return len(n)"),
    "a list changed in place": ("N = [0]", "def f(x):\n    n = N\n    n += [x]\n    return len(n)"),
    "a list repeated in place": ("N = [0]", "def f(x):\n    n = N\n    n *= 2\n    return len(n)"),
    "an item under another name": ("N = [0]", "def f(x):\n    n = N\n    n[0] = x\n    return n[0]"),
    "a list in a tuple": ("N = ([0],)", "def f(x):\n    (n,) = N\n    n.clear()\n    return len(n)"),
    "a dictionary under another name": ("N = {}", "def f(x):\n    n = N\n    n[x] = 1\n    return len(n)"),
    "a dictionary set by default": ("N = {}", "def f(x):\n    n = N\n    n.setdefault(x)\n    return len(n)"),
    "a dictionary joined in place": ("N = {}", "def f(x):\n    n = N\n    n |= {x: 1}\n    return len(n)"),
    "a set in a list": ("N = [{1}]", "def f(x):\n    (n,) = N\n    n.add(x)\n    return len(n)"),
}


@pytest.mark.parametrize("what", REMEMBERS)
def test_what_is_read_of_the_module_is_not_changed_by_a_call(tmp_path: Path, what: str) -> None:
    literal, text = REMEMBERS[what]
    opened = open_closed("f", *close(function_in(tmp_path, f"{literal}\n{text}")))
    before = repr(opened.__globals__["N"])

    with pytest.raises((TypeError, AttributeError)):
        opened(5)
    assert repr(opened.__globals__["N"]) == before


NO_TEXT = {
    "a method": "return str(x.upper)",
    "a generator": "return str(one for one in x)",
    "a pair of two": "return f'{zip(x, x)}'",
    "a method in a list": "return f'{[x.upper]}'",
    "a method in a template": "return '%s' % x.upper",
    "a method in a dictionary": "return str({1: x.upper})",
}


@pytest.mark.parametrize("what", NO_TEXT)
def test_a_text_that_would_hold_an_address_is_no_text(what: str) -> None:
    with pytest.raises(TypeError, match="not the same everywhere"):
        open_closed("f", f"def f(x):\n    {NO_TEXT[what]}", {})("a")
