"""What a closed function may not do: all that would make its value depend on more than its arguments.

- No clock, no zone of the machine, no locale: not even through a method of a value.
- No order of a set, which changes from process to process: a set may be asked what it holds, how much, or be sorted.
- No identity (`is`, but with None, True and False), no address in a text.
- No memory: what it reads of its module is not changed, and neither is anything else that outlives the call.
- Nothing that may take forever in one operation and is not bounded when it runs (`kernel.bounded`).
"""

import ast
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from lockgate.kernel.errors import Fault

__all__ = ["forbidden"]

_NODES = (
    ast.AsyncFor,
    ast.AsyncFunctionDef,
    ast.AsyncWith,
    ast.Await,
    ast.ClassDef,
    ast.Global,
    ast.Import,
    ast.ImportFrom,
    ast.Lambda,
    ast.Nonlocal,
    ast.With,
    ast.Yield,
    ast.YieldFrom,
)
_CLOCK = "a value that depends on the arguments alone"
_LOCALE = "a text that is the same under every locale and C library; f'{t.year}-{t.month:02}' is"
_ZONE = "a value that does not read the machine's zone; (a - b).total_seconds() does not"
_ENDLESS = "what ends soon for every argument"
_METHODS = {
    **dict.fromkeys(("format", "format_map", "fromtimestamp", "now", "today", "utcfromtimestamp", "utcnow"), _CLOCK),
    **dict.fromkeys(("strftime", "strptime"), _LOCALE),
    **dict.fromkeys(("astimezone", "timestamp"), _ZONE),
    **dict.fromkeys(("comb", "factorial", "lcm", "perm", "prod"), _ENDLESS),
}
_PADDING = frozenset(["center", "expandtabs", "ljust", "rjust", "to_bytes", "zfill"])
_CHANGING = frozenset(
    (
        *("add", "append", "clear", "discard", "extend", "insert", "pop"),
        *("popitem", "remove", "reverse", "setdefault", "sort", "update"),
    )
)
_ASKING = frozenset(["isdisjoint", "issubset", "issuperset"])
_JOINING = frozenset(["difference", "intersection", "symmetric_difference", "union"])
_ORDERLESS = frozenset(["all", "any", "bool", "frozenset", "isinstance", "len", "max", "min", "set", "sorted"])
_OF_SETS = (ast.BitAnd, ast.BitOr, ast.BitXor, ast.Sub)
_WIDE = re.compile(r"[1-9]\d{3,}")
_WIDEST = 999
_BOUNDED_IN_PLACE = (ast.Mult, ast.Pow, ast.LShift, ast.Mod)


def forbidden(tree: ast.FunctionDef, literals: AbstractSet[str], sets: AbstractSet[str]) -> list[Fault]:
    """Give a fault for everything that a function does and may not.

    Args:
        tree: the function.
        literals: the globals that it reads.
        sets: those of them that are sets.
    """
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found = [("plain parameters", "*, ** or keyword-only ones", 1)] if not _are_plain(tree.args) else []
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 1)
        found += [(expected, what, line) for expected, what in _why(node, tree, literals)]
        if _is_set(node, sets) and not _hides_order(node, parents):
            found.append(("a set only after `in`, in len() or sorted()", "a set whose order may show", line))
    return [Fault(at=f"{tree.name}, its line {line}", expected=expected, found=what) for expected, what, line in found]


def _are_plain(arguments: ast.arguments) -> bool:
    return not (
        arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs or arguments.defaults
    )


def _why(node: ast.AST, tree: ast.FunctionDef, literals: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    if isinstance(node, _NODES) or (isinstance(node, ast.FunctionDef) and node is not tree):
        yield "expressions and plain statements", type(node).__name__.lower()
    if isinstance(node, ast.ExceptHandler) and node.type is None:
        yield "an except that names its errors", "one that takes all"
    for name in _names(node):
        if name.startswith("__"):
            yield "plain names", name
    for name in _attributes(node):
        if name.startswith("_"):
            yield "public attributes", f".{name}"
        elif name in _METHODS:
            yield _METHODS[name], f".{name}"
    yield from _remembers(node, literals)
    yield from _compares_identity(node)
    yield from _is_endless(node)


def _names(node: ast.AST) -> Iterator[str]:
    """Give the names that a node reads or binds."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest


def _attributes(node: ast.AST) -> Iterator[str]:
    """Give the attributes that a node reads; a pattern reads some, too."""
    if isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.MatchClass):
        yield from node.kwd_attrs


def _remembers(node: ast.AST, literals: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    """Find what would outlive the call: attributes set, and literals of the module changed."""
    if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
        yield "values that are not changed", f".{node.attr} set"
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load) and _root(node) in literals:
        yield "nothing remembered from call to call", f"{_root(node)}[...] set"
    if isinstance(node, ast.Attribute) and node.attr in _CHANGING and _root(node) in literals:
        yield "nothing remembered from call to call", f"{_root(node)} changed by .{node.attr}"


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _compares_identity(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for number, operator in enumerate(node.ops):
            if isinstance(operator, ast.Is | ast.IsNot) and not any(map(_is_single, sides[number : number + 2])):
                yield "`is` with None, True or False only", ast.unparse(node)


def _is_single(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool))


def _is_endless(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Find texts of any width, and changes in place that can't be bounded."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _PADDING:
        given = node.args[0] if node.args else ast.Constant(value=8)
        if not _is_narrow(given):
            yield f".{node.func.attr}() with a width up to {_WIDEST} that is written there", ast.unparse(node)
    if isinstance(node, ast.AugAssign) and isinstance(node.op, _BOUNDED_IN_PLACE):
        if isinstance(node.target, ast.Name):
            return
        yield "a plain name on the left; a[i] = a[i] * b is fine", ast.unparse(node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        yield from _bad_template(node.left)
    if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
        yield from _bad_format(node.format_spec)


def _is_narrow(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int) and 0 <= node.value <= _WIDEST


def _bad_template(left: ast.expr) -> Iterator[tuple[str, str]]:
    text = left.value if isinstance(left, ast.Constant) else ""
    if isinstance(text, str | bytes):
        shown = text.decode("latin-1") if isinstance(text, bytes) else text
        if "*" in shown or _WIDE.search(shown):
            yield f"widths up to {_WIDEST} that are written there", repr(shown)


def _bad_format(spec: ast.expr) -> Iterator[tuple[str, str]]:
    parts = spec.values if isinstance(spec, ast.JoinedStr) else [spec]
    if not all(isinstance(part, ast.Constant) for part in parts):
        yield "a format that is written there", ast.unparse(spec)
        return
    text = "".join(str(part.value) for part in parts if isinstance(part, ast.Constant))
    if _WIDE.search(text):
        yield f"widths up to {_WIDEST}", repr(text)
    if text.endswith("n") or "%" in text[:-1]:
        yield _LOCALE, repr(text)


def _is_set(node: ast.AST, sets: AbstractSet[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp() | ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.Name(id=name, ctx=ast.Load()):
            return name in sets
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in _JOINING
        case ast.BinOp(left=left, op=operator, right=right) if isinstance(operator, _OF_SETS):
            return any(_is_set(side, sets) or _is_view(side) for side in (left, right))
        case ast.IfExp(body=body, orelse=other):
            return _is_set(body, sets) or _is_set(other, sets)
        case _:
            return False


def _is_view(node: ast.expr) -> bool:
    """Tell whether it is a view of a dictionary's keys or items: sets are made from them."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"keys", "items"}


def _hides_order(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Tell whether a set stands where its order can't show; what it becomes part of is looked at by itself."""
    match parents[node]:
        case ast.Compare() | ast.UnaryOp(op=ast.Not()) | ast.If() | ast.While() | ast.IfExp():
            return True
        case ast.BinOp(op=operator):
            return isinstance(operator, _OF_SETS)
        case ast.Attribute(attr=name) | ast.Call(func=ast.Attribute(attr=name)):
            return name in _ASKING | _JOINING
        case ast.Call(func=ast.Name(id=name), keywords=keywords):
            return name in _ORDERLESS and not keywords
        case ast.comprehension() as loop:
            return isinstance(parents[loop], ast.SetComp)
        case _:
            return False
