"""Reads the part of YAML that programs write by default: nested mappings, lists and texts.

- What could be more than data is refused, by line: tags, anchors, aliases, merges, directives, several documents.
- So is what only people write: flow collections with something in them, block texts, complex keys, tabs, comments
  after text.
- A scalar is a text, as it stands; a plain `null`, `~` or nothing is None. Nobody guesses at numbers, dates or `no`.
- At most 1 MiB, 20 deep; a key comes once.
"""

import re
from typing import Any, NoReturn

from lockgate.kernel.errors import Malformed, TooLarge

__all__ = ["LARGEST", "read_plain_yaml"]

LARGEST = 1 << 20

_DEEPEST = 20
_KEY = re.compile(r"""([A-Za-z0-9_][\w .()/+-]*|'(?:[^'\n]|'')*'|"(?:[^"\\\n]|\\.)*"):(?: +|$)""", re.ASCII)
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_REFUSED = {
    "!": "a tag",
    "&": "an anchor",
    "*": "an alias",
    "%": "a directive",
    "|": "a block text",
    ">": "a block text",
    "{": "a flow mapping",
    "[": "a flow list",
    "?": "a complex key",
    "@": "a reserved character",
    "`": "a reserved character",
    "#": "a comment after text",
    ",": "a flow list",
    "]": "a flow list",
    "}": "a flow mapping",
}
_ESCAPES = {
    **{character: character for character in '"\\/ '},
    **dict(zip("0abtnvfre", "\0\a\b\t\n\v\f\r\x1b", strict=True)),
    **dict(zip("N_LP", "\x85\xa0\u2028\u2029", strict=True)),
}
_LONG_ESCAPES = {"x": 2, "u": 4, "U": 8}


def read_plain_yaml(data: bytes, name: str) -> Any:  # noqa: ANN401 - texts, None, lists and mappings of them
    """Read a document.

    Args:
        data: its bytes.
        name: of the file, for what is said of it.

    Raises:
        TooLarge: it has more than 1 MiB.
        Malformed: it is no YAML of this kind; with the line.
    """
    if len(data) > LARGEST:
        msg = f"{name} is larger than such a file can be"
        raise TooLarge(msg, expected=f"{LARGEST:,} bytes at most", found=f"{len(data):,}")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        msg = f"{name} is no text"
        raise Malformed(msg, expected="UTF-8", found=str(error)) from error
    reading = _Reading(text, name)
    if (odd := _CONTROL.search(text)) is not None:
        reading.refuse("a tab or another control character", text.count("\n", 0, odd.start()))
    found = reading.block(0, 0) if reading.more() else None
    if reading.more():
        reading.refuse("an indentation that nothing stands under")
    return found


class _Reading:
    """Where in a document the reader is."""

    def __init__(self, text: str, name: str) -> None:
        self._lines = text.split("\n")
        self._name = name
        self._at = 0

    def refuse(self, found: str, line: int | None = None) -> NoReturn:
        msg = f"{self._name} can't be read: line {(self._at if line is None else line) + 1}"
        raise Malformed(msg, expected="plain YAML: mappings, lists and texts", found=found)

    def more(self) -> bool:
        """Tell whether a line follows that says something; empty ones and comments are passed over."""
        while self._at < len(self._lines):
            line = self._lines[self._at].strip(" ")
            if line and not line.startswith("#"):
                return True
            self._at += 1
        return False

    def _line(self) -> tuple[int, str]:
        """Give the indentation and the text of the line that the reader is at."""
        line = self._lines[self._at]
        text = line.lstrip(" ")
        if text.startswith(("---", "...")):
            self.refuse("several documents")
        return len(line) - len(text), text.rstrip(" ")

    def block(self, indent: int, depth: int) -> Any:  # noqa: ANN401 - texts, None, lists and mappings of them
        """Read the mapping or list whose lines begin at an indentation."""
        if depth > _DEEPEST:
            self.refuse(f"more than {_DEEPEST} levels")
        found, text = self._line()
        if found != indent:
            self.refuse("an indentation that nothing stands under")
        return self._list(indent, depth) if _is_item(text) else self._mapping(indent, depth)

    def _list(self, indent: int, depth: int) -> list[Any]:
        items = []
        while self.more():
            found, text = self._line()
            if found < indent or (found == indent and not _is_item(text)):
                break
            if found > indent:
                self.refuse("an indentation that nothing stands under")
            rest = text[1:].lstrip(" ")
            inner = indent + len(text) - len(rest)
            if rest and (_KEY.match(rest) or _is_item(rest)):
                # What stands behind the dash is a block of its own, at the place where it begins.
                self._lines[self._at] = " " * inner + rest
                items.append(self.block(inner, depth + 1))
            else:
                items.append(self._value(rest, indent, depth))
        return items

    def _mapping(self, indent: int, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while self.more():
            found, text = self._line()
            if found < indent or (found == indent and _is_item(text)):
                break
            match = _KEY.match(text)
            if found > indent or match is None:
                self.refuse(_REFUSED.get(text[:1], "something that is no key"))
            key = self._key(match[1])
            if key in values:
                self.refuse(f"{key} a second time")
            values[key] = self._value(text[match.end() :], indent, depth, lists_here=True)
        return values

    def _key(self, text: str) -> str:
        return self._quoted(text, self._at) if text[0] in "'\"" else text

    def _value(self, rest: str, indent: int, depth: int, *, lists_here: bool = False) -> Any:  # noqa: ANN401 - as `block`
        """Read what follows a key or a dash; a list under a key may stand as far left as the key."""
        if rest:
            return self._scalar(rest, indent)
        self._at += 1
        if not self.more():
            return None
        found, text = self._line()
        if found > indent or (lists_here and found == indent and _is_item(text)):
            return self.block(found, depth + 1)
        return None

    def _scalar(self, text: str, indent: int) -> Any:  # noqa: ANN401 - as `block`
        begun = self._at
        if text in {"{}", "[]"}:
            self._at += 1
            return {} if text == "{}" else []
        if text[0] in "'\"":
            return self._quoted(self._gathered(text, text[0]), begun)
        if _says_more(text):
            self.refuse(_REFUSED.get(text[0], "something that is no text"))
        self._at += 1
        parts = [text]
        while self.more() and self._line()[0] > indent:
            parts.append(self._line()[1])
            self._at += 1
        whole = " ".join(parts)
        if ": " in whole or whole.endswith(":") or " #" in whole:
            self.refuse("a mapping or a comment inside of a text", begun)
        return None if whole in {"null", "~", "Null", "NULL"} else whole

    def _gathered(self, text: str, quote: str) -> str:
        """Give a quoted text whole: it goes on until its quote, over lines that are folded."""
        begun, parts, end = self._at, [text], _closing(text, quote, 1)
        while end is None:
            self._at += 1
            if self._at >= len(self._lines):
                self.refuse("a text without its closing quote", begun)
            parts.append(self._lines[self._at])
            end = _closing(parts[-1], quote, 0)
        if parts[-1][end + 1 :].strip(" "):
            self.refuse("something behind the closing quote")
        self._at += 1
        return "\n".join([*parts[:-1], parts[-1][: end + 1]])

    def _quoted(self, text: str, line: int) -> str:
        quote, inner = text[0], text[1:-1]
        if quote == "'":
            return _folded(inner).replace("''", "'")
        joined = re.sub(r"(?<!\\)((?:\\\\)*)\\\n *", r"\1", inner)
        return self._unescaped(_folded(joined), line)

    def _unescaped(self, text: str, line: int) -> str:
        def replaced(match: re.Match[str]) -> str:
            kind, digits = match[1], match[2] or ""
            if kind in _ESCAPES:
                return _ESCAPES[kind] + digits
            wanted = _LONG_ESCAPES.get(kind, 0)
            if not wanted or len(digits) < wanted or int(digits[:wanted], 16) > 0x10FFFF:  # noqa: PLR2004 - Unicode ends there
                self.refuse(f"the escape \\{kind}", line)
            return chr(int(digits[:wanted], 16)) + digits[wanted:]

        return re.sub(r"\\(.)([0-9a-fA-F]{0,8})", replaced, text, flags=re.DOTALL)


def _is_item(text: str) -> bool:
    return text == "-" or text.startswith("- ")


def _says_more(text: str) -> bool:
    """Tell whether a value begins with what is no plain text."""
    if text[0] == "?":
        return text[1:2] in {"", " "}
    return text[0] in _REFUSED or text[:2] in {"-", "- ", ": "}


def _closing(line: str, quote: str, start: int) -> int | None:
    """Give the place of the closing quote in a line; None where the text goes on."""
    place = start
    while place < len(line):
        if quote == '"' and line[place] == "\\":
            place += 2
        elif line[place] != quote:
            place += 1
        elif quote == "'" and line[place + 1 : place + 2] == "'":
            place += 2
        else:
            return place
    return None


def _folded(text: str) -> str:
    """Fold lines: a single line end is a space, of several each but the first is one line end."""
    lines = text.split("\n")
    folded, ends = lines[0].rstrip(" ") if len(lines) > 1 else lines[0], 0
    for place, line in enumerate(lines[1:], 2):
        stripped = line.strip(" ") if place < len(lines) else line.lstrip(" ")
        if not stripped and place < len(lines):
            ends += 1
            continue
        folded += ("\n" * ends if ends else " ") + stripped
        ends = 0
    return folded
