"""Says where the model of a release comes from, where it was not fitted here."""

from lockgate.engine.installation import Installation
from lockgate.records.package import Package
from lockgate.records.release import Release
from lockgate.records.training import Imported

__all__ = ["imported_from"]


def imported_from(where: Installation, release: Release) -> str:
    """Say what was brought, such as `model.txt (lightgbm)`; empty where the model was fitted here."""
    digest = where.shelf.get(Package, release.package).imported
    if digest is None:
        return ""
    found = where.shelf.get(Imported, digest)
    return f"{found.name} ({found.kind})"
