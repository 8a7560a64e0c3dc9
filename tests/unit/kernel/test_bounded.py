"""A closed function ends, for every argument: what could take for ever is refused by count, the same everywhere."""

import time

import pytest

from lockgate.kernel.bounded import BITS, SIZE, STEPS
from lockgate.kernel.closure import open_closed

WITHOUT_END = {
    "a power of a power": "return 10 ** 10 ** 8",
    "a power of an argument": "return x ** x",
    "a power by pow": "return pow(x, x)",
    "a power in place": "x **= x\n    return x",
    "a power of a constant": "return 2 ** x",
    "a shift": "return 1 << x",
    "a shift in place": "y = 1\n    y <<= x\n    return y",
    "a repeated text": "return len('ab' * x)",
    "a repeated list": "return len(x * [0])",
    "a text repeated in place": "y = 'a'\n    y *= x\n    return len(y)",
    "a loop without end": "while True:\n        pass",
    "a loop over a list that grows": "y = [1]\n    for one in y:\n        y.append(one)\n    return 1",
    "a long loop": "for one in range(10 ** 12):\n        pass\n    return one",
    "loops in loops": "return sum(1 for a in range(9999) for b in range(9999) for c in range(9999))",
    "a comprehension in a loop": "y = 0\n    while True:\n        y += len([1 for one in range(99)])",
    "a long list": "return list(range(x))",
    "a long sum": "return sum(range(x))",
    "a rounding to nothing": "return round(5, -x)",
    "a square of a square": "for one in range(64):\n        x *= x\n    return x",
    "a product of products": "for one in range(64):\n        x = x * x\n    return x",
    "a text doubled": "y = 'a'\n    for one in range(64):\n        y = y + y\n    return len(y)",
    "a text doubled in place": "y = 'a'\n    for one in range(64):\n        y += y\n    return len(y)",
    "a list doubled": "y = [1]\n    for one in range(64):\n        y = y + y\n    return len(y)",
    "a text doubled by a format": "y = 'a'\n    for one in range(64):\n        y = f'{y}{y}'\n    return len(y)",
    "a loop that hides that it is stopped": (
        "while True:\n        try:\n            while True:\n                pass\n"
        "        except ArithmeticError:\n            y = 1"
    ),
}


@pytest.mark.parametrize("what", WITHOUT_END)
def test_what_could_take_for_ever_is_an_overflow_and_soon(what: str) -> None:
    opened = open_closed("f", f"def f(x):\n    {WITHOUT_END[what]}", {})
    began = time.monotonic()

    with pytest.raises(OverflowError):
        opened(10**9)

    assert time.monotonic() - began < 2


SAME_AS_EVER = {
    "powers": ("return x ** 2, x ** 0.5, 2 ** 10, 2 ** -1, x ** 100, 0 ** x, (-1) ** x", 9),
    "products": ("return x * 3, 3.5 * x, 'ab' * x, [x] * 2, x * 'a', -x * x", 9),
    "sums": ("y = x\n    for one in range(3):\n        y = y + one\n        y += 0.5\n    return y", 9),
    "texts in a loop": ("y = ''\n    for one in 'abc':\n        y += one\n    return y", 9),
    "lists in place keep their identity": ("y = z = [x]\n    y *= 2\n    y += [1]\n    return z", 9),
    "shifts and remainders": ("y = x\n    y %= 4\n    y <<= 2\n    return y, x << 2, x % 4, -x % 4.5", 9),
    "rounding": ("return round(x / 7, 2), round(x, -1), round(x / 2)", 9),
    "ranges": ("return list(range(x)), list(range(9, 0, -3)), 5 in range(x)", 9),
    "loops": ("y = 0\n    while y < 20:\n        y += x\n        if y > 10:\n            break\n    return y", 9),
    "comprehensions in comprehensions": ("return [[b for b in range(a)] for a in range(4)], {a: a for a in 'ab'}", 9),
    "an else of a loop": ("for one in []:\n        pass\n    else:\n        return 7", 9),
    "as many steps as there may be": (f"y = 0\n    for one in range({STEPS}):\n        y += 1\n    return y", 9),
}


@pytest.mark.parametrize("what", SAME_AS_EVER)
def test_within_its_bounds_a_function_means_what_cpython_does(what: str) -> None:
    body, given = SAME_AS_EVER[what]
    source = f"def f(x):\n    {body}"
    plain: dict[str, object] = {}
    exec(source, plain)  # noqa: S102 - the comparison

    assert repr(open_closed("f", source, {})(given)) == repr(plain["f"](given))  # type: ignore[operator]


def test_steps_are_counted_anew_for_each_call() -> None:
    opened = open_closed("f", f"def f(x):\n    return len([one for one in range({STEPS * 2 // 3})])", {})

    assert opened(0) == opened(0)


def test_bounds_are_where_they_are_said_to_be() -> None:
    power = open_closed("f", "def f(x):\n    return 2 ** x", {})
    text = open_closed("f", "def f(x):\n    return len('a' * x)", {})

    assert power(BITS // 2) == 2 ** (BITS // 2)
    assert text(SIZE) == SIZE
    for opened, least in ((power, BITS), (text, SIZE + 1)):
        with pytest.raises(OverflowError):
            opened(least)
