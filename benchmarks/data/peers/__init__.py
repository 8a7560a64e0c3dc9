"""Other products, run beside ours: each in an environment and a process of its own.

- An environment is made once, from PyPI, with the versions written down here (`<name>.txt`). Nothing else of this
  benchmark reads from the network.
- A peer's script here is run by the peer's own interpreter and imports nothing of ours. It prints one line of JSON.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["ask", "ask_ours"]

_HERE = Path(__file__).parent
_VENVS = Path("build/bench/venvs")


def ask(peer: str, script: str, *arguments: object, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Run a peer's script in its environment; give what it printed.

    Raises:
        subprocess.CalledProcessError: its environment could not be made, or it failed.
    """
    return _run([str(_python_of(peer)), str(_HERE / script), *map(str, arguments)], environment)


def ask_ours(module: str, *arguments: object, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Run a module of ours in a process of its own; give what it printed."""
    return _run([sys.executable, "-m", module, *map(str, arguments)], environment)


def _run(command: list[str], environment: dict[str, str] | None) -> dict[str, Any]:
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, **(environment or {})})
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return told


def _python_of(peer: str) -> Path:
    """Give the interpreter of a peer's environment; make it where it is not there, or was left half made."""
    venv = _VENVS / peer
    python, made, wanted = venv / "bin" / "python", venv / ".made", _HERE / f"{peer}.txt"
    if not made.exists() or made.read_bytes() != wanted.read_bytes():
        print(f"setting up: {peer}, in {venv}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
        install = ["-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps", "-r", str(wanted)]
        subprocess.run([str(python), *install], check=True, stdout=sys.stderr)
        made.write_bytes(wanted.read_bytes())
    return python
