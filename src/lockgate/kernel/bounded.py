"""Closed functions end: each operation that could take forever is bounded, by what is counted, never by a clock.

- Loops and comprehensions of one call take `STEPS` steps together.
- Integers have up to `BITS` bits, texts and lists made by repeating up to `SIZE` items, a `range` up to `STEPS`.
- Beyond a bound an OverflowError is raised. It means null, like every error of a value, on every machine alike.
- A text shows values, not addresses.

What is not bounded: texts and lists that methods make longer and longer in a loop (`replace`, `join`, `extend`).
"""

import ast
from collections.abc import Callable, Iterable, Iterator
from datetime import date, time, timedelta, tzinfo
from typing import Any, NoReturn, TypeVar

__all__ = ["BITS", "GUARDS", "SIZE", "STEPS", "bound"]

T = TypeVar("T")

STEPS = 100_000
BITS = 65_536
SIZE = 1_000_000

_SMALL_POWER = 4
_SMALL_FACTOR = 1_000
_FEWEST_DIGITS = -1_000
_SHOWN = (bool, int, float, complex, str, bytes, date, time, timedelta, tzinfo, BaseException, type(None))


def _too_much(what: str) -> NoReturn:
    msg = f"{what} is beyond what a closed function may take"
    raise OverflowError(msg)


def _steps() -> Callable[[], None]:
    """Give a counter for one call."""
    taken = 0

    def step() -> None:
        nonlocal taken
        taken += 1
        if taken > STEPS:
            _too_much(f"a loop of more than {STEPS:,} steps")

    return step


def _each(items: Iterable[T], step: Callable[[], None]) -> Iterator[T]:
    for one in items:
        step()
        yield one


def _factor(a: Any, b: Any) -> Any:  # noqa: ANN401 - whatever a user multiplies
    """Give `b`, if `a * b` is not too much."""
    if isinstance(a, int) and isinstance(b, int):
        if a.bit_length() + b.bit_length() > BITS:
            _too_much("this product")
    elif isinstance(b, int):
        _check_repeated(a, b)
    elif isinstance(a, int):
        _check_repeated(b, a)
    return b


def _check_repeated(items: Any, times: int) -> None:  # noqa: ANN401 - likewise
    if isinstance(items, str | bytes | list | tuple) and len(items) * times > SIZE:
        _too_much("this repetition")


def _times(a: Any, b: Any) -> Any:  # noqa: ANN401 - likewise
    return a * b if type(a) is float or type(b) is float else a * _factor(a, b)


def _exponent(a: Any, b: Any) -> Any:  # noqa: ANN401 - likewise
    """Give `b`, if `a ** b` is not too much."""
    if isinstance(a, int) and isinstance(b, int) and abs(a) > 1 and a.bit_length() * b > BITS:
        _too_much("this power")
    return b


def _power(a: Any, b: Any) -> Any:  # noqa: ANN401 - likewise
    return a ** _exponent(a, b)


def _distance(a: Any, b: Any) -> Any:  # noqa: ANN401 - likewise
    """Give `b`, if `a << b` is not too much."""
    if isinstance(a, int) and isinstance(b, int) and a and a.bit_length() + b > BITS:
        _too_much("this shift")
    return b


def _shifted(a: Any, b: Any) -> Any:  # noqa: ANN401 - likewise
    return a << _distance(a, b)


def _divisor(a: Any, b: Any) -> Any:  # noqa: ANN401 - likewise
    """Give `b`, if `a % b` divides numbers: a text whose widths come from elsewhere is not filled in."""
    if isinstance(a, str | bytes):
        msg = "a text is filled in only where it is written"
        raise TypeError(msg)
    return b


def _modulo(a: Any, b: Any) -> Any:  # noqa: ANN401 - likewise
    return a % _divisor(a, b)


def _range(*given: Any) -> range:  # noqa: ANN401 - whatever a user gave
    found = range(*given)
    if len(found) > STEPS:
        _too_much("this range")
    return found


def _digits(number: Any) -> Any:  # noqa: ANN401 - likewise
    if isinstance(number, int) and number < _FEWEST_DIGITS:
        _too_much("this rounding")
    return number


def _plus(a: Any, b: Any) -> Any:  # noqa: ANN401 - likewise
    return a + _addend(a, b)


def _addend(a: Any, b: Any) -> Any:  # noqa: ANN401 - likewise
    """Give `b`, if `a + b` is not too long."""
    if isinstance(a, str | bytes | list | tuple) and isinstance(b, type(a)) and len(a) + len(b) > SIZE:
        _too_much("this sum")
    return b


def _sized(text: str) -> str:
    if len(text) > SIZE:
        _too_much("this text")
    return text


def _shown(value: T) -> T:
    """Give a value whose text is the same everywhere.

    Raises:
        TypeError: its text would hold an address, or the order of a set.
    """
    if isinstance(value, _SHOWN):
        return value
    if isinstance(value, dict):
        for pair in value.items():
            _shown(pair)
        return value
    if isinstance(value, list | tuple):
        for one in value:
            _shown(one)
        return value
    msg = f"the text of a {type(value).__name__} is not the same everywhere"
    raise TypeError(msg)


GUARDS: dict[str, Any] = {
    "__addend": _addend,
    "__digits": _digits,
    "__distance": _distance,
    "__divisor": _divisor,
    "__each": _each,
    "__exponent": _exponent,
    "__factor": _factor,
    "__modulo": _modulo,
    "__plus": _plus,
    "__power": _power,
    "__range": _range,
    "__shifted": _shifted,
    "__shown": _shown,
    "__sized": _sized,
    "__steps": _steps,
    "__times": _times,
}
"""What a bounded function calls; no name that a user can write."""

_OPERATORS: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("__plus", "__addend"),
    ast.LShift: ("__shifted", "__distance"),
    ast.Mod: ("__modulo", "__divisor"),
    ast.Mult: ("__times", "__factor"),
    ast.Pow: ("__power", "__exponent"),
}


def bound(tree: ast.FunctionDef, shadowed: Iterable[str]) -> ast.FunctionDef:
    """Put the bounds into a function, in place.

    Args:
        tree: a function that does nothing forbidden.
        shadowed: names that are its own: a builtin among them is none.
    """
    binder = _Bounds(frozenset(shadowed))
    binder.generic_visit(tree)
    if binder.loops:
        first = ast.Assign(targets=[ast.Name(id="__step", ctx=ast.Store())], value=_call("__steps"))
        tree.body.insert(0, first)
    ast.fix_missing_locations(tree)
    return tree


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(func=ast.Name(id=name, ctx=ast.Load()), args=list(arguments), keywords=[])


class _Bounds(ast.NodeTransformer):
    def __init__(self, shadowed: frozenset[str]) -> None:
        self.loops = False
        self._inside = 0
        self._shadowed = shadowed

    def visit_While(self, node: ast.While) -> ast.AST:
        self._enter(node)
        node.body.insert(0, ast.Expr(value=_call("__step")))
        return node

    def visit_For(self, node: ast.For) -> ast.AST:
        self._enter(node)
        node.iter = _call("__each", node.iter, ast.Name(id="__step", ctx=ast.Load()))
        return node

    def _visit_comprehension(self, node: ast.AST) -> ast.AST:
        self._enter(node)
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _visit_comprehension  # noqa: N815 - likewise

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        node.iter = _call("__each", node.iter, ast.Name(id="__step", ctx=ast.Load()))
        return node

    def _enter(self, node: ast.AST) -> None:
        self.loops = True
        self._inside += 1
        self.generic_visit(node)
        self._inside -= 1

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant):
            if isinstance(node.left.value, str | bytes):
                node.right = _call("__shown", node.right)
            return node
        guard = _OPERATORS.get(type(node.op))
        return node if guard is None or self._is_small(node) else _call(guard[0], node.left, node.right)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        guard = _OPERATORS.get(type(node.op))
        if guard is not None and isinstance(node.target, ast.Name):
            node.value = _call(guard[1], ast.Name(id=node.target.id, ctx=ast.Load()), node.value)
        return node

    def _is_small(self, node: ast.BinOp) -> bool:
        """Tell whether an operation can't grow much: it is done once, and by a small constant, or on a float."""
        sides = [side.value for side in (node.left, node.right) if isinstance(side, ast.Constant)]
        if isinstance(node.op, ast.Mod):
            return False
        if any(isinstance(side, float) for side in sides):
            return True
        if self._inside:
            return False
        if isinstance(node.op, ast.Pow):
            power = node.right.value if isinstance(node.right, ast.Constant) else None
            return isinstance(power, int) and 0 <= power <= _SMALL_POWER
        factors = sides if isinstance(node.op, ast.Mult) else []
        return isinstance(node.op, ast.Add) or any(isinstance(one, int) and one <= _SMALL_FACTOR for one in factors)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        plain = [self._is_builtin(side, "range") for side in node.comparators]  # `in range(...)` takes no steps
        self.generic_visit(node)
        for number, was in enumerate(plain):
            side = node.comparators[number]
            if was and isinstance(node.ops[number], ast.In | ast.NotIn) and isinstance(side, ast.Call):
                side.func = ast.Name(id="range", ctx=ast.Load())
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if self._is_builtin(node, "range"):
            node.func = ast.Name(id="__range", ctx=ast.Load())
        elif self._is_builtin(node, "pow") and len(node.args) == 2 and not node.keywords:  # noqa: PLR2004 - base and power
            node.func = ast.Name(id="__power", ctx=ast.Load())
        elif self._is_builtin(node, "round") and len(node.args) == 2:  # noqa: PLR2004 - number and digits
            node.args[1] = _call("__digits", node.args[1])
        elif self._is_builtin(node, "str") and len(node.args) == 1:
            node.args[0] = _call("__shown", node.args[0])
        return node

    def _is_builtin(self, node: ast.expr, name: str) -> bool:
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == name
            and name not in self._shadowed
        )

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:
        self.generic_visit(node)
        node.value = _call("__shown", node.value)
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        self.generic_visit(node)
        return _call("__sized", node) if self._inside else node
