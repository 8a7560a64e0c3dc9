"""What software and hardware this is."""

import os
import platform
from importlib import metadata
from pathlib import Path

from lockgate.kernel.errors import Invalid
from lockgate.records.training import Environment, Machine

__all__ = ["environment", "machine", "processes"]

PROCESSES = "LOCKGATE_PROCESSES"
"""The variable that says how many processes compute features."""


def environment() -> Environment:
    """Give the Python version and every installed distribution."""
    packages = {one.name.lower().replace("_", "-"): one.version for one in metadata.distributions()}
    return Environment(python=platform.python_version(), packages=dict(sorted(packages.items())))


def machine() -> Machine:
    """Give this machine's hardware."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory=pages,
        platform=f"{platform.system()}-{platform.machine()}",
    )


def processes() -> int:
    """Give how many processes may compute features: as `LOCKGATE_PROCESSES` says, else one for each core that is ours.

    Raises:
        Invalid: the variable holds something else than a number.
    """
    wanted = os.environ.get(PROCESSES, "")
    if not wanted:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not wanted.isdecimal() or int(wanted) < 1:
        msg = f"{PROCESSES} can't be understood"
        raise Invalid(msg, expected="a whole number, at least 1", found=wanted)
    return int(wanted)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
