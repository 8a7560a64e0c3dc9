"""The root of a child process: reads its job, does it, hands back the result. Runs the user's code."""

import os
import sys
import threading
import traceback
from pathlib import Path

import msgspec

from lockgate.engine.children import JOB, RESULT, ChildError, ChildResult, Job
from lockgate.engine.jobs import JOBS
from lockgate.kernel.errors import LockgateError, Refused
from lockgate.kernel.folders import replace_file

__all__ = ["main"]


def main() -> None:
    """Do the job in the folder named by the first argument; the second is where progress is written."""
    scratch, pipe = Path(sys.argv[1]), int(sys.argv[2])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    job = msgspec.json.decode((scratch / JOB).read_bytes(), type=Job)

    def progress(share: float, text: str = "") -> None:
        os.write(pipe, f"{share:.3f} {text}\n".encode())

    result = ChildResult()
    try:
        result.value = msgspec.to_builtins(JOBS[job.kind](Path(job.folder), scratch, job.arguments, progress))
    except LockgateError as error:
        traceback.print_exc()
        result.error = ChildError(
            refused=isinstance(error, Refused),
            what=error.what,
            expected=error.expected,
            found=error.found,
            way_out=error.way_out,
            faults=error.faults,
        )
    except Exception as error:  # noqa: BLE001 - the root of a process that runs the user's code; it is handed back
        traceback.print_exc()
        result.error = ChildError(refused=False, what=f"'{job.kind}' failed", found=f"{type(error).__name__}: {error}")
    replace_file(scratch / RESULT, msgspec.json.encode(result))


def _end_with_parent() -> None:
    """Wait for standard input to close; the parent never writes to it, so that means it is gone."""
    while os.read(0, 1024):
        continue
    os._exit(1)


if __name__ == "__main__":
    main()
