"""Closed functions: source text over literals, so that a digest covers all that decides what they return.

- A closed function is one `def` with plain parameters. It reads its parameters, literals, a few builtins and `math`.
- It may not import, define, reach behind underscores, or do anything else by which its value would depend on more than
  its arguments (`kernel.forbidden`); and it ends (`kernel.bounded`).
- Every global it reads is a literal and is kept by value beside the source; opened again, it can't be changed. Any
  other global is an error, both when a function is closed and when it is opened again.

This keeps meaning, not safety: text is opened only after the signature over it has been verified.
"""

import ast
import builtins
import inspect
import math
import symtable
import textwrap
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType
from typing import Any, NoReturn

from lockgate.kernel.bounded import GUARDS, bound
from lockgate.kernel.errors import Fault, Invalid
from lockgate.kernel.forbidden import forbidden

__all__ = ["ERRORS_THAT_MEAN_NULL", "close", "open_closed"]

ERRORS_THAT_MEAN_NULL = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a closed function may raise on a row: its value is then null.

All that can come of values alone: also a name that was not bound on this way through (NameError), a structure that
holds itself (RecursionError is a RuntimeError), and what is beyond a bound (OverflowError is an ArithmeticError). A
MemoryError is the machine's: null here and a number elsewhere would be two meanings.
"""

_BUILTINS = frozenset(
    [
        "abs",
        "all",
        "any",
        "bool",
        "dict",
        "divmod",
        "enumerate",
        "float",
        "frozenset",
        "int",
        "isinstance",
        "len",
        "list",
        "max",
        "min",
        "pow",
        "range",
        "reversed",
        "round",
        "set",
        "sorted",
        "str",
        "sum",
        "tuple",
        "zip",
        "ArithmeticError",
        "AttributeError",
        "KeyError",
        "LookupError",
        "TypeError",
        "ValueError",
        "ZeroDivisionError",
    ]
)


def close(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Give a function's normalised source, and the literals it reads as Python source.

    Decorators, annotations, defaults, comments and the docstring are left out: they do not decide its value.

    Raises:
        Invalid: with a fault for everything that keeps it from being closed.
    """
    if not isinstance(function, FunctionType):
        _refuse(
            repr(function), [Fault(at=repr(function), expected="a function defined with def", found="something else")]
        )
    tree = _normalise(_definition(function))
    faults = [_captures(function)] if function.__code__.co_freevars else []
    literals: dict[str, str] = {}
    for name in sorted(_free_names(tree)):
        value = function.__globals__.get(name, _MISSING)
        if name in _BUILTINS and (value is _MISSING or value is getattr(builtins, name)):
            continue
        if value is math and name == "math":
            continue
        text = _as_literal(value)
        if text is None:
            faults.append(_not_literal(function, name, value))
        else:
            literals[name] = text
    faults += forbidden(tree, literals.keys(), _sets(literals))
    if faults:
        _refuse(function.__name__, faults)
    return ast.unparse(tree), literals


def open_closed(name: str, source: str, literals: dict[str, str]) -> Callable[..., Any]:
    """Make a function again from what `close` gave.

    Raises:
        Invalid: it reads a global that is neither a literal nor allowed, or does what a closed function may not.
    """
    module = ast.parse(source)
    if len(module.body) != 1 or not isinstance(module.body[0], ast.FunctionDef) or module.body[0].name != name:
        _refuse(name, [Fault(at=name, expected=f"exactly one def, of {name}", found="other source")])
    tree = module.body[0]
    faults = forbidden(tree, literals.keys(), _sets(literals))
    if ast.unparse(_normalise(tree)) != ast.unparse(ast.parse(source)):
        faults.append(Fault(at=name, expected="normalised source", found="decorators, annotations or a docstring"))
    unknown = _free_names(tree) - _BUILTINS - set(literals) - {"math"}
    faults += [Fault(at=name, expected="literals and allowed builtins only", found=f"the global {n}") for n in unknown]
    if faults:
        _refuse(name, faults)
    bound(tree, _own_names(tree) | literals.keys())
    scope: dict[str, Any] = {"math": math} | {
        text: _frozen(ast.literal_eval(value)) for text, value in literals.items()
    }
    scope |= GUARDS
    # No text can name `__import__`; methods of values such as `datetime.strftime` import through it.
    scope["__builtins__"] = {text: getattr(builtins, text) for text in (*_BUILTINS, "__import__")}
    exec(compile(module, f"<{name}>", "exec", optimize=0), scope)  # noqa: S102 - verified text; see the module's law
    opened = scope[name]
    assert isinstance(opened, FunctionType)  # noqa: S101 - for the type checker; the text is one def
    return opened


_MISSING = object()
_LITERALS = frozenset([type(None), bool, int, str, float, dict, list, tuple, set, frozenset])


def _definition(function: FunctionType) -> ast.FunctionDef:
    try:
        module = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        module = ast.Module(body=[], type_ignores=[])
    tree = module.body[0] if module.body else None
    if not isinstance(tree, ast.FunctionDef):
        _refuse(
            function.__name__,
            [Fault(at=_place(function), expected="a function defined with def in a file", found="none")],
        )
    return tree


def _normalise(tree: ast.FunctionDef) -> ast.FunctionDef:
    tree.decorator_list, tree.returns = [], None
    tree.args.defaults, tree.args.kw_defaults = [], [None] * len(tree.args.kwonlyargs)
    for argument in (*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs):
        argument.annotation = None
    while _is_text(tree.body[0]):
        tree.body = tree.body[1:] or [ast.Pass()]
    return tree


def _is_text(statement: ast.stmt) -> bool:
    """Tell whether a statement is a docstring, or text that does nothing."""
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Constant):
        return False
    return isinstance(statement.value.value, str)


def _symbols(tree: ast.FunctionDef) -> Iterator[symtable.Symbol]:
    """Give its names, scope by scope: one may be a global here and a comprehension's own there."""
    scopes = symtable.symtable(ast.unparse(tree), tree.name, "exec").get_children()
    while scopes:
        scope = scopes.pop()
        yield from scope.get_symbols()
        scopes += scope.get_children()


def _free_names(tree: ast.FunctionDef) -> set[str]:
    """Give the globals it reads."""
    return {symbol.get_name() for symbol in _symbols(tree) if symbol.is_global()}


def _own_names(tree: ast.FunctionDef) -> set[str]:
    """Give the names it binds."""
    return {symbol.get_name() for symbol in _symbols(tree) if not symbol.is_global()}


def _sets(literals: Mapping[str, str]) -> set[str]:
    """Give the names of literals that are sets."""
    return {name for name, text in literals.items() if isinstance(ast.literal_eval(text), set)}


def _refuse_change(*_: object, **__: object) -> Any:  # noqa: ANN401 - stands for methods of any type
    msg = "what a closed function reads of its module can't be changed"
    raise TypeError(msg)


class _FixedList(list[Any]):
    """A list of a user's module: every call finds it as it was written."""

    __slots__ = ()

    append = clear = extend = insert = pop = remove = reverse = sort = _refuse_change
    __delitem__ = __iadd__ = __imul__ = __setitem__ = _refuse_change


class _FixedDict(dict[Any, Any]):
    """A dictionary of a user's module: every call finds it as it was written."""

    __slots__ = ()

    clear = pop = popitem = setdefault = update = _refuse_change
    __delitem__ = __ior__ = __setitem__ = _refuse_change


def _frozen(value: Any) -> Any:  # noqa: ANN401 - a literal
    """Give a literal that no call can change for the next one."""
    if isinstance(value, list):
        return _FixedList(map(_frozen, value))
    if isinstance(value, tuple):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return _FixedDict((key, _frozen(item)) for key, item in value.items())
    return frozenset(value) if isinstance(value, set) else value


def _as_literal(value: object) -> str | None:
    """Give the Python source of a literal, in one order for sets; None for anything else."""
    if (
        type(value) not in _LITERALS
    ):  # a subclass means more than its literal says: an enum, a defaultdict, a NumPy float
        return None
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        keys, items = _as_literals([*value]), _as_literals([*value.values()])
        pairs = [f"{_as_literal(key)}: {_as_literal(item)}" for key, item in value.items()]
        return None if keys is None or items is None else f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple | set | frozenset):
        return _as_literals(value)
    return repr(value)


def _as_literals(values: list[Any] | tuple[Any, ...] | set[Any] | frozenset[Any]) -> str | None:
    if any(isinstance(value, set | frozenset) and len(value) > 1 and not _are_numbers(value) for value in values):
        return None  # the order of texts in a set changes from process to process, and in here it could show
    texts = [text for text in map(_as_literal, values) if text is not None]
    if len(texts) != len(values):
        return None
    if isinstance(values, list):
        return f"[{', '.join(texts)}]"
    if isinstance(values, tuple):
        return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
    return f"{{{', '.join(sorted(texts))}}}" if texts else None


def _are_numbers(values: set[Any] | frozenset[Any]) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _not_literal(function: FunctionType, name: str, value: object) -> Fault:
    found = f"{name}, which nothing defines" if value is _MISSING else f"{name}, a {type(value).__name__}"
    return Fault(
        at=_place(function),
        expected=f"{function.__name__} to read its parameters, literals and math only",
        found=found,
        hint="Pass it as a parameter, or write the value down as a literal.",
    )


def _captures(function: FunctionType) -> Fault:
    names = ", ".join(function.__code__.co_freevars)
    return Fault(at=_place(function), expected="a function at the top of a module", found=f"one that captures {names}")


def _place(function: FunctionType) -> str:
    return f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"


def _refuse(name: str, faults: list[Fault]) -> NoReturn:
    msg = f"{name} can't be kept with the model"
    raise Invalid(msg, faults=tuple(faults))
