"""How much memory a process has taken."""

import resource
import sys
from pathlib import Path

__all__ = ["peak_memory"]

_STATUS = Path("/proc/self/status")


def peak_memory() -> int:
    """Give the most memory that this process has held at once, in bytes.

    Linux says it of the program that runs now. What `getrusage` says elsewhere may be the peak of the process that
    this one was started from: it outlives the exchange of one program for another.
    """
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
