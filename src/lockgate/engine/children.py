"""Child processes for everything that runs a user's code.

- A child gets a job as a file in a scratch folder and hands back files there; it is given no key, no ledger, no token,
  and nothing of the environment that is Lockgate's.
- What it prints is kept in `output.log`. What it reports of its progress comes over a pipe.
- It dies with its parent: it ends when its standard input closes, which the kernel does for a parent that was killed.
- It runs as the same user. That keeps secrets out of a user's code by accident, not by force; on a shared machine run
  the control plane as a user of its own.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from lockgate.kernel.errors import Failed, Fault, Invalid, LockgateError

__all__ = ["ChildError", "Job", "Progress", "run_child"]

T = TypeVar("T")

Progress = Callable[[float, str], None]
"""Told how far a step is, 0 to 1, and with what."""

JOB, RESULT, OUTPUT = "job.json", "result.json", "output.log"


class Job(msgspec.Struct, kw_only=True):
    """What a child is to do."""

    # A name in the table of `engine.jobs`.
    kind: str
    # The project folder.
    folder: str
    # Arguments, JSON values.
    arguments: dict[str, Any]


class ChildError(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How a child failed."""

    refused: bool
    what: str
    expected: str = ""
    found: str = ""
    way_out: str = ""
    faults: tuple[Fault, ...] = ()

    def to_error(self, output: Path) -> LockgateError:
        """Give the error to raise here."""
        way_out = self.way_out or ("" if self.refused else f"Its output: {output}")
        kind = Invalid if self.refused else Failed
        return kind(self.what, expected=self.expected, found=self.found, way_out=way_out, faults=self.faults)


class ChildResult(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a child hands back: a value, or how it failed."""

    value: Any = None
    error: ChildError | None = None


def run_child(
    job: Job, scratch: Path, result: type[T], progress: Progress = lambda *_: None, *, python: Path | None = None
) -> T:
    """Run a job in a child process.

    Args:
        job: what to do.
        scratch: a folder for its files, made if it does not exist.
        result: the type of what it gives.
        progress: told how far it is.
        python: of the environment to run it in; ours if left out.

    Raises:
        Invalid: the user's project or data were refused.
        Failed: it raised, or died.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    (scratch / JOB).write_bytes(msgspec.json.encode(job))
    (scratch / RESULT).unlink(missing_ok=True)
    reading, writing = os.pipe()
    with (scratch / OUTPUT).open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - our own module
            [str(python or sys.executable), "-m", "lockgate.engine.child", str(scratch), str(writing)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(),
            # Ctrl-C is for the one who started this; a child ends when its parent does.
            start_new_session=True,
            pass_fds=(writing,),
        )
    os.close(writing)
    try:
        _relay(reading, progress)
        code = child.wait()
    finally:
        child.kill()
        child.wait()
        if child.stdin is not None:
            child.stdin.close()
    return _result(job, scratch, code, result)


def _environment() -> dict[str, str]:
    # Threads that wait for work by spinning make everything else on the machine slow, and gain next to nothing.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOCKGATE_")}
    return {"OMP_WAIT_POLICY": "PASSIVE", **kept}


def _relay(reading: int, progress: Progress) -> None:
    with os.fdopen(reading, "r", encoding="utf-8") as lines:
        for line in lines:
            share, _, text = line.rstrip("\n").partition(" ")
            progress(float(share), text)


def _result(job: Job, scratch: Path, code: int, result: type[T]) -> T:
    try:
        given = msgspec.json.decode((scratch / RESULT).read_bytes(), type=ChildResult)
    except (FileNotFoundError, msgspec.DecodeError) as error:
        last = (scratch / OUTPUT).read_text(errors="replace").strip().splitlines()[-1:] or ["nothing was printed"]
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        msg = f"The child process for '{job.kind}' died"
        raise Failed(
            msg, expected="a result", found=f"{how}; {last[0]}", way_out=f"Its output: {scratch / OUTPUT}"
        ) from error
    if given.error is not None:
        raise given.error.to_error(scratch / OUTPUT)
    return msgspec.convert(given.value, type=result)
