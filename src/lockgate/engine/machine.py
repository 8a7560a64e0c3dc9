"""What software and hardware this is."""

import os
import platform
from importlib import metadata
from pathlib import Path

from lockgate.records.training import Environment, Machine

__all__ = ["environment", "machine"]


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


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
