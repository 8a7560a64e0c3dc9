"""A project, its data and a state folder, worked with as a user would: by commands in processes of their own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.making.parcels import make_project, write_data

__all__ = ["Workshop", "wait_for"]


_LOCKGATE = (sys.executable, "-m", "lockgate.cli.main")


class Workshop:
    """A project, its data and a state folder."""

    def __init__(self, root: Path) -> None:
        self.project = make_project(root / "parcels")
        self.data = write_data(root / "data")
        self.state = root / "state"
        self.first: dict[str, Any] = {}

    @classmethod
    def at(cls, root: Path, first: dict[str, Any]) -> "Workshop":
        """Give the one that is there already, and what it shipped first."""
        workshop = cls.__new__(cls)
        workshop.project, workshop.data, workshop.state = root / "parcels", root / "data", root / "state"
        workshop.first = first
        return workshop

    def begin(self, *command: str, program: Sequence[str] = _LOCKGATE) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "PARCELS": str(self.data),
            "LOCKGATE_STATE": str(self.state),
            "OMP_NUM_THREADS": "1",
        }
        return subprocess.Popen(
            [*program, *command],
            env=environment,
            stdin=subprocess.PIPE if "--tether" in command else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str) -> tuple[int, str, str]:
        process = self.begin(*command)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def ship(self, *options: str) -> dict[str, Any]:
        code, out, err = self.run("ship", str(self.project), "--json", *options)
        assert code == 0, err
        found: dict[str, Any] = json.loads(out)
        return found

    def refused(self, *options: str) -> str:
        code, _, err = self.run("ship", str(self.project), *options)
        assert code in {1, 2}, err
        assert "Traceback" not in err
        return err

    def status(self) -> dict[str, Any]:
        code, out, err = self.run("status", "--json")
        assert code == 0, err
        found: dict[str, Any] = json.loads(out)
        return found

    def endpoint(self) -> tuple[str, str]:
        """Wait until `lockgate up` serves; give its URL and the local token."""
        wait_for(lambda: self._up() is not None, 60)
        return str(self._up()), (self.state / "access" / "token").read_text().strip()

    def _up(self) -> str | None:
        try:
            found = json.loads((self.state / "run" / "up.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return str(found["predict"]) if found.get("control") else None

    def fits(self) -> int:
        path = self.data / "fits.log"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def told(self) -> str:
        return "".join(path.read_text() for path in self.state.glob("work/*/progress.jsonl"))

    def done(self) -> list[tuple[str, str]]:
        """Give (walk, station) of every step that was done, found ones aside."""
        return [
            (path.parent.name, one["station"])
            for path in self.state.glob("work/*/progress.jsonl")
            for one in map(json.loads, path.read_text().splitlines())
            if one["state"] == "done"
        ]


def wait_for(what: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
