"""What runs are searched by: a small language, read from text and written as text.

    search     = all ("or" all)*
    all        = one ("and" one)*
    one        = "not" one | "(" search ")" | comparison
    comparison = name operator value
    name       = attribute | root "." key          state, metric.loss, param.trees, tag."asked by"
    operator   = "=" | "!=" | "<" | "<=" | ">" | ">=" | "~"
    value      = text in quotes | number | true | false | null | word

- What is compared decides what its value may be: a metric is a number, a tag a text; a parameter may be anything.
- A word needs quotes where it holds spaces or signs, or is `and`, `or` or `not`; a key as well.
- `~` asks whether a text holds another one. `null` is what is not there.
- Whatever can't be read is refused, with the column where it stands.
- Written as text and read again, a search is the same search.
"""

import enum
import math
import re
from collections.abc import Iterator
from typing import Literal, cast

import msgspec

from lockgate.kernel.errors import Invalid
from lockgate.kernel.names import nearest
from lockgate.records.training import RunState

__all__ = [
    "ATTRIBUTES",
    "ROOTS",
    "All",
    "Comparison",
    "Either",
    "Kind",
    "Name",
    "Not",
    "Search",
    "parse_search",
    "said",
]


class Kind(enum.Enum):
    """What a value may be."""

    TEXT = "a text"
    NUMBER = "a number"
    TRUTH = "true or false"
    ANYTHING = "a value"


ROOTS = {
    "metric": Kind.NUMBER,
    "min": Kind.NUMBER,
    "max": Kind.NUMBER,
    "param": Kind.ANYTHING,
    "tag": Kind.TEXT,
}
"""What has keys: the last, least and greatest number of a metric, parameters and tags."""

ATTRIBUTES = {
    "model": Kind.TEXT,
    "state": Kind.TEXT,
    "error": Kind.TEXT,
    "fitted": Kind.TEXT,
    "version": Kind.TEXT,
    "commit": Kind.TEXT,
    "dirty": Kind.TRUTH,
    "walk": Kind.TEXT,
    "by": Kind.TEXT,
    "began": Kind.TEXT,
    "seconds": Kind.NUMBER,
    "cpu_seconds": Kind.NUMBER,
    "memory": Kind.NUMBER,
}
"""What a run has by itself."""

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "~"]
Value = str | int | float | bool | None

_LONGEST = 2_000
_DEEPEST = 50
_OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "~")
_WORDS = {"and", "or", "not"}
_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<operator><=|>=|!=|[=<>~])|(?P<mark>[()])"""
    r"""|(?P<word>[\w.+-][\w./:@+-]*)""",
    re.DOTALL,
)
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_SPECIAL: dict[str, Value] = {
    "null": None,
    "true": True,
    "false": False,
    "nan": math.nan,
    "inf": math.inf,
    "+inf": math.inf,
    "-inf": -math.inf,
}
_KEY = re.compile(r"\w[\w./:@+-]*(?<!\.)")


class Name(msgspec.Struct, frozen=True):
    """What is compared."""

    # One of `ROOTS` with a key, or one of `ATTRIBUTES` without.
    root: str
    key: str = ""

    @property
    def kind(self) -> Kind:
        """What it may be compared with."""
        return ROOTS[self.root] if self.key else ATTRIBUTES[self.root]


class Comparison(msgspec.Struct, frozen=True):
    """A name held against a value."""

    name: Name
    operator: Operator
    value: Value


class Not(msgspec.Struct, frozen=True):
    """The other way round."""

    inner: "Search"


class All(msgspec.Struct, frozen=True):
    """All of two or more."""

    parts: tuple["Search", ...]


class Either(msgspec.Struct, frozen=True):
    """At least one of two or more."""

    parts: tuple["Search", ...]


Search = Comparison | Not | All | Either


def said(search: Search) -> str:
    """Write a search as text."""
    match search:
        case Comparison(name, operator, value):
            return f"{_said_name(name)} {operator} {_said_value(value)}"
        case Not(inner):
            return f"not {_enclosed(inner, All, Either)}"
        case All(parts):
            return " and ".join(_enclosed(part, All, Either) for part in parts)
        case Either(parts):
            return " or ".join(_enclosed(part, Either) for part in parts)


def _enclosed(search: Search, *kinds: type) -> str:
    return f"({said(search)})" if isinstance(search, kinds) else said(search)


def _said_name(name: Name) -> str:
    if not name.key:
        return name.root
    return f"{name.root}.{name.key if _KEY.fullmatch(name.key) else _as_json(name.key)}"


def _said_value(value: Value) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return repr(value) if number else _as_json(value)


def _as_json(value: Value) -> str:
    return msgspec.json.encode(value).decode()


def parse_search(text: str) -> Search:
    """Read a search.

    Raises:
        Invalid: it can't be read; says at which column, and what was expected there.
    """
    return _Reader(text).whole()


class _Token(msgspec.Struct, frozen=True):
    # `text`, `operator`, `mark`, `word` or `end`.
    kind: str
    text: str
    # Where it stands, counted from 1.
    column: int


def _fits(value: Value, kind: Kind) -> bool:
    match kind:
        case Kind.TEXT:
            return isinstance(value, str)
        case Kind.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case Kind.TRUTH:
            return isinstance(value, bool)
        case Kind.ANYTHING:
            return True


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        if len(text) > _LONGEST:
            msg = "This search is too long"
            raise Invalid(msg, expected=f"{_LONGEST:,} characters at most", found=f"{len(text):,}")
        self._tokens = list(self._cut())
        self._place = 0
        self._depth = 0

    def _cut(self) -> Iterator[_Token]:
        place = 0
        while place < len(self._text):
            found = _TOKEN.match(self._text, place)
            if found is None:
                rest = _Token("rest", self._text[place : place + 20], place + 1)
                hint = "A text with spaces or signs stands in double quotes: one before it, one after it."
                raise self._wrong("a name, an operator or a value", rest, hint)
            if found.lastgroup != "space":
                yield _Token(str(found.lastgroup), found[0], place + 1)
            place = found.end()
        yield _Token("end", "", place + 1)

    def whole(self) -> Search:
        """Read all of it."""
        found = self._search()
        if self._next.kind != "end":
            raise self._wrong_next("and, or, or the end")
        return found

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _take(self) -> _Token:
        token = self._next
        self._place += token.kind != "end"
        return token

    def _said(self, word: str) -> bool:
        """Take a word or a mark, if it is the next."""
        token = self._next
        if token.kind in {"word", "mark"} and token.text.lower() == word:
            self._place += 1
            return True
        return False

    def _search(self) -> Search:
        parts = [self._all()]
        while self._said("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _all(self) -> Search:
        parts = [self._one()]
        while self._said("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _one(self) -> Search:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong_next(f"less than {_DEEPEST} searches within each other")
        if self._said("not"):
            found: Search = Not(self._one())
        elif self._said("("):
            found = self._search()
            if not self._said(")"):
                raise self._wrong_next("and, or, or a closing parenthesis")
        else:
            found = self._comparison()
        self._depth -= 1
        return found

    def _comparison(self) -> Comparison:
        name, operator = self._name(), self._take()
        if operator.kind != "operator":
            raise self._wrong(f"one of {' '.join(_OPERATORS)}", operator)
        if operator.text == "~" and name.kind not in {Kind.TEXT, Kind.ANYTHING}:
            raise self._wrong("one of = != < <= > >=", operator, "~ is for texts.")
        return Comparison(name, cast("Operator", operator.text), self._value(name, operator.text))

    def _name(self) -> Name:
        token = self._take()
        if token.kind != "word" or token.text.lower() in _WORDS:
            raise self._wrong("a name, such as metric.loss or state", token)
        root, dot, key = token.text.partition(".")
        if not dot and root in ATTRIBUTES:
            return Name(root)
        if not dot or root not in ROOTS:
            known = [*ATTRIBUTES, *(f"{one}.{key or 'NAME'}" for one in ROOTS)]
            raise self._wrong("something that runs have", token, nearest(token.text, known))
        after = self._next
        if not key and after.kind == "text" and after.column == token.column + len(token.text):
            key = self._unquoted(self._take())
        if not key:
            raise self._wrong(f"a name after {root}.", after)
        return Name(root, key)

    def _value(self, name: Name, operator: str) -> Value:
        token = self._take()
        if token.kind not in {"word", "text"} or (token.kind == "word" and token.text.lower() in _WORDS):
            raise self._wrong(name.kind.value, token)
        value = self._unquoted(token) if token.kind == "text" else self._plain(token.text, name.kind, operator)
        equal = operator in {"=", "!="}
        if isinstance(value, bool | None) and not equal:
            raise self._wrong("a value that has an order", token, f"{token.text} goes with = and !=.")
        if value is not None and not _fits(value, name.kind):
            raise self._wrong(name.kind.value, token)
        states = [one.value for one in RunState]
        if name.root == "state" and value is not None and equal and value not in states:
            raise self._wrong(", ".join(states), token, nearest(f"{value}", states))
        return value

    @staticmethod
    def _plain(text: str, kind: Kind, operator: str) -> Value:
        """Give the value that a bare word is; where a text is wanted it is one, `null` aside."""
        if text == "null" and operator != "~":
            return None
        if kind is Kind.TEXT or operator == "~":
            return text
        if text in _SPECIAL:
            return _SPECIAL[text]
        if _NUMBER.fullmatch(text):
            return int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else float(text)
        return text

    def _unquoted(self, token: _Token) -> str:
        try:
            return msgspec.json.decode(token.text.encode(), type=str)
        except (msgspec.DecodeError, UnicodeError):
            raise self._wrong('a text as JSON writes it, such as "a \\"b\\""', token) from None

    def _wrong_next(self, expected: str) -> Invalid:
        return self._wrong(expected, self._next)

    def _wrong(self, expected: str, token: _Token, way_out: str = "") -> Invalid:
        msg = f"This search can't be read at column {token.column}"
        return Invalid(msg, expected=expected, found=token.text[:80] or "the end", way_out=way_out)
