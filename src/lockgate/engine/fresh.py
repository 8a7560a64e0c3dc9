"""Makes a fresh virtual environment out of a recorded one: the same Python, every distribution in its version.

- Distributions come from wherever pip is told to look (PIP_INDEX_URL, PIP_FIND_LINKS, ...).
- Lockgate itself is copied from this installation, since what makes a package again is this program.
- What came of it is asked of the environment itself, and compared with what was recorded.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

import msgspec

import lockgate
from lockgate.kernel.errors import Failed, NotFound
from lockgate.records.training import Environment

__all__ = ["differences", "environment_of", "make_environment"]

_OURS = "lockgate"
_ASK = (
    "import sys; from lockgate.engine.machine import environment; from lockgate.kernel.canonical import canonical;"
    " sys.stdout.buffer.write(canonical(environment()))"
)


def make_environment(wanted: Environment, folder: Path, tell: Callable[[str], None]) -> Path:
    """Make it in a folder; gives its Python.

    Args:
        wanted: what was recorded.
        folder: where; it must not exist.
        tell: told what is being done.

    Raises:
        NotFound: the Python that was recorded is not on this machine.
        Failed: a distribution can't be installed.
    """
    base = _interpreter(wanted.python)
    tell(f"Python {wanted.python}")
    _run([str(base), "-m", "venv", str(folder)], "No environment could be made")
    python = folder / "bin" / "python"
    pinned = folder / "requirements.txt"
    pinned.write_text("".join(f"{name}=={version}\n" for name, version in wanted.packages.items() if name != _OURS))
    tell(f"{len(wanted.packages)} distributions")
    install = [str(python), "-m", "pip", "install", "--no-deps", "--disable-pip-version-check", "--quiet"]
    _run(
        [*install, "--requirement", str(pinned)],
        "The recorded distributions can't be installed",
        "What lies on no index that pip is told of can't be had again; PIP_FIND_LINKS may name a folder with it.",
    )
    extra = sorted(set(environment_of(python, folder).packages) - set(wanted.packages))
    if extra:
        _run([str(python), "-m", "pip", "uninstall", "--yes", "--quiet", *extra], "What was not recorded stays")
    return python


def environment_of(python: Path | None, venv: Path | None = None) -> Environment:
    """Ask an environment what it is, ours where none is named; Lockgate is put into one that was just made.

    Raises:
        Failed: it can't be asked.
    """
    if venv is not None:
        _copy_ours(next((venv / "lib").glob("python*")) / "site-packages")
    asked = _run([str(python or sys.executable), "-c", _ASK], "The environment can't be asked what it is")
    return msgspec.json.decode(asked, type=Environment)


def differences(wanted: Environment, found: Environment) -> list[str]:
    """Say in which parts two environments differ."""
    names = sorted({*wanted.packages, *found.packages})
    pairs = [("Python", wanted.python, found.python)]
    pairs += [(name, wanted.packages.get(name, "none"), found.packages.get(name, "none")) for name in names]
    return [f"{name} {one}, here {other}" for name, one, other in pairs if one != other]


def _copy_ours(site: Path) -> None:
    """Copy this program and what says its version, and nothing that lies beside it."""
    if (site / _OURS).exists():
        return
    shutil.copytree(Path(lockgate.__file__).parent, site / _OURS, ignore=shutil.ignore_patterns("__pycache__"))
    for file in metadata.distribution(_OURS).files or ():
        there = Path(str(file.locate()))
        if file.parts[0].endswith(".dist-info") and there.is_file():
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(there, site / file)


def _interpreter(version: str) -> Path:
    """Find a Python by its whole version: this one, or one on the path."""
    named = [f"python{version.rpartition('.')[0]}", "python3", "python"]
    candidates = [Path(sys.base_prefix) / "bin" / name for name in named]
    candidates += [Path(there) for name in named if (there := shutil.which(name))]
    seen = []
    for candidate in dict.fromkeys(candidates):
        if candidate.exists():
            said = _run([str(candidate), "-c", "import platform; print(platform.python_version())"], "No Python")
            seen.append(said.decode().strip())
            if seen[-1] == version:
                return candidate
    raise NotFound(
        f"Python {version} is not on this machine",
        expected=f"Python {version}, in which the package was built",
        found=", ".join(dict.fromkeys(seen)) or "none",
        way_out="Install it and put it on the PATH; or say --here to build it in this environment.",
    )


def _run(command: Sequence[str], refused: str, way_out: str = "") -> bytes:
    # Nothing of this environment but where things are to be found.
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("LOCKGATE_", "PYTHON", "VIRTUAL_"))
    }
    done = subprocess.run(command, capture_output=True, check=False, env=own)  # noqa: S603 - our own words and versions
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise Failed(refused, expected="exit code 0", found=last[0], way_out=way_out)
    return done.stdout
