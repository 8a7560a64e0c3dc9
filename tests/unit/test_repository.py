"""What holds for the repository as a whole, whatever is in it."""

import ast
import importlib
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
REQUIREMENTS = sorted(ROOT.glob("requirements*.txt"))
LONGEST_FILE = 600
LONGEST_FUNCTION = 60

# A pinned package, a hash, a comment: nothing else stands in a requirements file.
REQUIREMENT = re.compile(r"[a-z0-9-]+(\[[a-z,-]+\])?==[0-9][0-9A-Za-z.+!]*( ; [^/@]+)? \\")
HASH = re.compile(r" {4}--hash=sha256:[0-9a-f]{64}( \\)?")
COMMENT = re.compile(r" *#[^/@]*")
HOST = re.compile(r"://|@|[\w-]+\.(com|org|net|io|dev|local)\b|localhost|\b\d+\.\d+\.\d+\.\d+:\d+")

# Spelt in two parts, so that this file does not hold what it looks for.
PLACES = ["/" + "work/", "/" + "root/", "/" + "home/", "../" + "shared", "/" + "tmp/spike"]


def kept_files() -> Iterator[Path]:
    """Files that are, or are about to be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return (path for name in sorted(set(listed.stdout.split("\0"))) if name and (path := ROOT / name).is_file())


def text_of(path: Path) -> str | None:
    """A file's text; None when it is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_there_are_three_requirements_files_and_no_other_lock() -> None:
    assert [path.name for path in REQUIREMENTS] == ["requirements-demo.txt", "requirements-dev.txt", "requirements.txt"]
    assert not [relative(path) for path in kept_files() if path.name == "uv.lock"]


@pytest.mark.parametrize("path", REQUIREMENTS, ids=relative)
def test_a_requirements_file_pins_by_hash_and_names_no_place(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()

    odd = [line for line in lines if not any(shape.fullmatch(line) for shape in (REQUIREMENT, HASH, COMMENT))]
    assert odd == []
    assert [line for line in lines if HOST.search(line)] == []


def test_the_development_requirements_hold_the_others_in_the_same_versions() -> None:
    core, demo, dev = (
        set(re.findall(r"^\S+==\S+", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("requirements.txt", "requirements-demo.txt", "requirements-dev.txt")
    )

    assert core < demo < dev


def test_every_lint_exception_has_its_reason_beside_it() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text[text.index("[tool.ruff.lint]") : text.index("[tool.ruff.lint.flake8-tidy-imports]")]

    rules = [line for line in section.splitlines() if re.search(r'"[A-Z]+[0-9]*"', line) and "select" not in line]
    assert rules
    assert [line for line in rules if not re.search(r"# \S+ \S+", line)] == []


def test_a_contract_of_rooms_names_only_rooms_that_the_layers_know() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    contracts = {contract["id"]: contract for contract in linter["contracts"]}
    rooms = {f"lockgate.{room}" for layer in contracts["layers"]["layers"] for room in re.findall(r"\w+", layer)}

    named = {
        module
        for contract in contracts.values()
        for module in [*contract.get("source_modules", []), *contract.get("forbidden_modules", [])]
        if module.startswith("lockgate.")
    }
    assert named - rooms == set()


def test_a_file_stays_short() -> None:
    assert [
        relative(path) for path in SOURCES if len(path.read_text(encoding="utf-8").splitlines()) > LONGEST_FILE
    ] == []


def test_a_function_stays_short() -> None:
    assert [
        f"{relative(path)}:{node.lineno}: {node.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > LONGEST_FUNCTION
    ] == []


def test_what_a_user_may_import_is_said_in_order_and_is_there() -> None:
    lockgate = importlib.import_module("lockgate")

    assert list(lockgate.__all__) == sorted(set(lockgate.__all__))
    assert [name for name in lockgate.__all__ if not hasattr(lockgate, name)] == []


def test_the_version_is_the_same_wherever_it_stands() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert importlib.import_module("lockgate").__version__ == project["version"]


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    found = [
        f"{relative(path)} names {place}" for path in kept_files() for place in PLACES if place in (text_of(path) or "")
    ]

    assert found == []
