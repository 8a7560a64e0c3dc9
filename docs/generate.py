"""Fill the generated parts of the pages from the code they describe.

    python docs/generate.py           write them
    python docs/generate.py --check   say which are stale; the exit code is 1 then

A part stands between `<!-- generated: NAME -->` and `<!-- end of generated: NAME -->`; the rest of a page is written by
hand. A name that is not known here, or a part without an end, is an error.
"""

import argparse
import ast
import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import typer

import lockgate
from lockgate.cli.main import app
from lockgate.declare import fitting
from lockgate.declare.sources import Source
from lockgate.declare.windows import Window
from lockgate.engine.api.app import make_app
from lockgate.kernel import errors, folders
from lockgate.kernel.errors import LockgateError
from lockgate.serving.metrics import Tally

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "lockgate"

_PART = re.compile(r"<!-- generated: ([a-z-]+) -->\n(.*?)<!-- end of generated: \1 -->", re.DOTALL)
_BEGIN = re.compile(r"<!-- generated: ([a-z-]+) -->")
_MODULE = re.compile(r"\b(?:lockgate\.declare\.\w+|lockgate|collections\.abc|typing|datetime)\.(?=[A-Za-z])")


def pages() -> list[Path]:
    """Find the pages that may have generated parts."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def filled(text: str) -> str:
    """Give a page's text with its generated parts as they should be."""
    begun, whole = _BEGIN.findall(text), [name for name, _ in _PART.findall(text)]
    if begun != whole or set(whole) - set(PARTS):
        msg = f"expected parts among {', '.join(PARTS)}, each with its end; found {', '.join(begun)}"
        raise ValueError(msg)
    return _PART.sub(
        lambda part: f"<!-- generated: {part[1]} -->\n\n{PARTS[part[1]]()}\n\n<!-- end of generated: {part[1]} -->",
        text,
    )


# --- the commands ----------------------------------------------------------------------------------------------------


def commands(command: Any = None, name: str = "lockgate") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - typer's own click
    """Give every command by its full name, in the order of the help."""
    command = command or typer.main.get_command(app)
    if not hasattr(command, "commands"):
        yield name, command
        return
    for word, inner in command.commands.items():
        yield from commands(inner, name if word == getattr(command, "left_out", None) else f"{name} {word}")


def _cli() -> str:
    return "\n\n".join(_command(name, command) for name, command in commands())


def _command(name: str, command: Any) -> str:  # noqa: ANN401 - typer's own click
    given = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    usage = " ".join([name, *(one.name.upper() if one.required else f"[{one.name.upper()}]" for one in given)])
    lines = [f"## {name}", "", f"`{usage}{' [OPTIONS]' if options else ''}`", "", command.help]
    if command.params:
        lines += ["", "| | default | |", "|---|---|---|", *(_parameter(one) for one in command.params)]
    return "\n".join(lines)


def _parameter(one: Any) -> str:  # noqa: ANN401 - typer's own click
    names = [one.name.upper()] if one.param_type_name == "argument" else [*one.opts, *one.secondary_opts]
    default = "required" if one.required else "" if one.default is None or one.default is False else f"`{one.default}`"
    if one.secondary_opts:
        default = f"`{(one.opts if one.default else one.secondary_opts)[0]}`"
    about = f"{one.help or ''} (or the variable `{one.envvar}`)" if one.envvar else one.help or ""
    return f"| {', '.join(f'`{text}`' for text in names)} | {default} | {about} |"


# --- the words of a project file -------------------------------------------------------------------------------------


def _declarations() -> str:
    return "\n\n".join(_declared(name, getattr(lockgate, name)) for name in lockgate.__all__)


def _declared(name: str, value: Any) -> str:  # noqa: ANN401 - whatever is public
    if value is lockgate.Parameters:
        return f"## {name}\n\n`Mapping[str, Any]`\n\n{_after(fitting, name)}"
    if not inspect.isclass(value):
        return f"## {name}\n\n{_function(name, value)}"
    if value is lockgate.Project:
        methods = [_method("project", value, one) for one in ("source", "table", "window", "request", "outcome")]
        methods += [_method("project", value, one) for one in ("feature", "model", "gate")]
        methods += [_method("source", Source, "expect"), f"### source[...]\n\n{_doc(Source.__getitem__)}"]
        methods += [f"### window[...]\n\n{_doc(Window.__getitem__)}"]
        return "\n\n".join([f"## {name}\n\n{_function(name, value)}", *methods])
    if value is lockgate.Run:
        methods = [_method("run", value, one) for one in ("log", "keep", "tag", "read")]
        return "\n\n".join([f"## {name}\n\n{_doc(value)}", *methods])
    fields = [f"- `{one}`: {text}" for one, text in _field_docs(value).items()]
    return "\n\n".join([f"## {name}\n\n{_doc(value)}", *(["\n".join(fields)] if fields else [])])


def _method(owner: str, kind: type, name: str) -> str:
    return f"### {owner}.{name}\n\n{_function(f'{owner}.{name}', getattr(kind, name))}"


def _function(name: str, function: Callable[..., Any]) -> str:
    signature = inspect.signature(function)
    shown = [one for one in signature.parameters.values() if one.name != "self"]
    text = str(signature.replace(parameters=shown, return_annotation=inspect.Signature.empty))
    return f"```\n{name}{_MODULE.sub('', text).replace('Optional[~F]', 'Callable | None')}\n```\n\n{_doc(function)}"


def _doc(value: object) -> str:
    """Give a docstring as Markdown: its `Args` and `Raises` become lists."""
    whole, _, raises = (inspect.getdoc(value) or "").partition("\nRaises:\n")
    text, _, arguments = whole.partition("\nArgs:\n")
    parts = ["\n".join(_listed(arguments)), "Raises:" if raises else "", "\n".join(_listed(raises))]
    return "\n\n".join([text.strip(), *(part for part in parts if part)])


def _listed(items: str) -> list[str]:
    lines = re.sub(r"\n {8,}", " ", items).splitlines()
    return [re.sub(r"^ {4}([\w, ]+): ", r"- `\1`: ", line) for line in lines if line.strip()]


def _field_docs(kind: type) -> dict[str, str]:
    """Give the text under each field of a class, or what its class says where there is none."""
    tree = ast.parse(inspect.getsource(kind)).body[0]
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    return {
        field.target.id: " ".join(str(text.value.value).split())
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }


def _after(module: Any, name: str) -> str:  # noqa: ANN401 - a module
    """Give the text under a name of a module."""
    match = re.search(rf'^{name} = .*\n"""(.*?)"""', inspect.getsource(module), re.MULTILINE | re.DOTALL)
    return match[1] if match else ""


# --- the records -----------------------------------------------------------------------------------------------------


def record_files() -> list[Path]:
    """Give the files of the records, in the order that the import law gives them, and of what is kept like them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one.get("id") == "records")
    names = [layer.strip("()") for layer in reversed(layers)]
    there = [SOURCE / "records" / f"{name}.py" for name in names if (SOURCE / "records" / f"{name}.py").exists()]
    return [SOURCE / "kernel" / "verdicts.py", *there, SOURCE / "project" / "blueprint.py"]


def _records() -> str:
    return "\n\n".join(_record_file(path) for path in record_files())


def _record_file(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    head = f"## {path.relative_to(SOURCE).as_posix()}\n\n{ast.get_docstring(tree)}"
    return "\n\n".join([head, *(_record(node, text.splitlines()) for node in classes)])


def _record(node: ast.ClassDef, lines: list[str]) -> str:
    tag = next((ast.literal_eval(word.value) for word in node.keywords if word.arg == "tag"), None)
    positions = any(word.arg == "array_like" for word in node.keywords)
    about = ast.get_docstring(node) or ""
    head = f"### {node.name}\n\n{f'Type `{tag}`. ' if tag else ''}{about}"
    if positions:
        head += " Stored by position."
    fields = list(_values(node, lines) if _is_enum(node) else _fields(node, lines))
    heading = "| value | | |" if _is_enum(node) else "| field | type | |"
    return "\n".join([head, "", heading, "|---|---|---|", *fields])


def _is_enum(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Attribute) and base.attr == "Enum" for base in node.bases)


def _values(node: ast.ClassDef, lines: list[str]) -> Iterator[str]:
    for value in node.body:
        if isinstance(value, ast.Assign):
            comment = re.sub(r"^noqa: \w+ - [\w ]+; ", "", lines[value.lineno - 1].partition("  # ")[2])
            yield f"| `{ast.literal_eval(value.value)}` | | {comment} |"


def _fields(node: ast.ClassDef, lines: list[str]) -> Iterator[str]:
    """Give a row for each comment; a field without one belongs to the one above it."""
    about = ""
    names: list[str] = []
    types: list[str] = []
    for field in (one for one in node.body if isinstance(one, ast.AnnAssign)):
        comment = _comment_above(field.lineno, lines)
        if comment and names:
            yield _row(names, types, about)
            names, types = [], []
        about = comment or about
        names.append(ast.unparse(field.target))
        types.append(ast.unparse(field.annotation) + (f" = {ast.unparse(field.value)}" if field.value else ""))
    if names:
        yield _row(names, types, about)


def _row(names: list[str], types: list[str], about: str) -> str:
    cells = [", ".join(f"`{one}`" for one in some) for some in (names, [one.replace("|", "\\|") for one in types])]
    return f"| {cells[0]} | {cells[1]} | {about} |"


def _comment_above(line: int, lines: list[str]) -> str:
    found: list[str] = []
    number = line - 2
    while number >= 0 and lines[number].strip().startswith("#"):
        found.insert(0, lines[number].strip().lstrip("# "))
        number -= 1
    return " ".join(found)


# --- the APIs, and the rest ------------------------------------------------------------------------------------------


def error_kinds(kind: type[LockgateError] = LockgateError) -> Iterator[type[LockgateError]]:
    """Give every error that is raised as such, in the order of the tree."""
    for inner in kind.__subclasses__():
        if inner.__module__ == errors.__name__:
            yield inner
            yield from error_kinds(inner)


def _errors() -> str:
    rows = [
        f"| `{kind.code}` | {kind.status} | {(inspect.getdoc(kind) or '').partition(chr(10))[0]} |"
        for kind in error_kinds()
    ]
    return "\n".join(["| code | status | |", "|---|---|---|", *rows])


def _routes() -> str:
    # The routes are described without an installation behind them.
    description = make_app(cast("Any", None), cast("Any", None)).openapi()
    bodies = description["components"]["schemas"]
    rows = [
        f"| `{method.upper()} {path}` | {one['description']} {_body(one, bodies)}|"
        for path, methods in description["paths"].items()
        for method, one in methods.items()
    ]
    return "\n".join(["| route | |", "|---|---|", *rows])


def _body(route: dict[str, Any], schemas: dict[str, Any]) -> str:
    if "requestBody" not in route:
        return ""
    name = route["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    required = schemas[name].get("required", [])
    fields = [f"`{field}`{'' if field in required else ' (optional)'}" for field in schemas[name]["properties"]]
    return f"Body: {', '.join(fields)}. "


def _metrics() -> str:
    text = Tally().text({})
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    rows = [f"| `{name}` | {kinds[name]} | {about} |" for name, about in re.findall(r"# HELP (\S+) (.*)", text)]
    return "\n".join(["| metric | | |", "|---|---|---|", *rows])


def _folders() -> str:
    layout = (inspect.getdoc(folders) or "").partition("\n\n")[2]
    return f"```\n{layout.strip()}\n```"


PARTS: dict[str, Callable[[], str]] = {
    "cli": _cli,
    "declarations": _declarations,
    "endpoint-metrics": _metrics,
    "errors": _errors,
    "records": _records,
    "routes": _routes,
    "state-folder": _folders,
}
"""What can be generated, by the name that pages use."""


def main(arguments: list[str] | None = None) -> int:
    """Write the generated parts, or check them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a page is stale")
    check = parser.parse_args(arguments).check
    stale = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        wanted = filled(text)
        if wanted != text:
            stale.append(page.relative_to(ROOT).as_posix())
            if not check:
                page.write_text(wanted, encoding="utf-8")
    for name in stale:
        print(f"{name}: {'stale; run python docs/generate.py' if check else 'written'}")
    print(f"{len(pages())} pages, {len(stale)} {'stale' if check else 'written'}")
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main())
