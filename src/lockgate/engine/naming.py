"""Finds the release that is meant: by its endpoint, by endpoint and version, or by a digest."""

from lockgate.engine.delivery import current_plan, endpoint_names
from lockgate.engine.installation import Installation
from lockgate.kernel.canonical import Digest, parse
from lockgate.kernel.errors import NotFound
from lockgate.kernel.names import nearest
from lockgate.records.release import Release

__all__ = ["find_release"]

_ALL = 100_000


def find_release(where: Installation, what: str) -> Digest:
    """Give the release that is meant.

    Args:
        where: the installation.
        what: an endpoint, for its live release, or its newest where none is live; `endpoint@v2`; a release's digest;
            a package's digest, for the newest release of it.

    Raises:
        NotFound: there is no such release.
    """
    records = where.shelf.ledger.records
    endpoint, _, version = what.partition("@")
    if endpoint in endpoint_names(where):
        plan = current_plan(where, endpoint)
        if not version and plan is not None:
            return plan.live
        return _of_version(where, endpoint, version)
    if records.get("release", what) is not None:
        return what
    package = records.get("package", what)
    for stored in records.latest("release", subject=package.subject, limit=_ALL) if package else ():
        if parse(stored.body, Release).package == what:
            return stored.id
    msg = f"There is no release {what}" if package is None else f"The package {what} was never released"
    hint = nearest(endpoint, endpoint_names(where))
    raise NotFound(msg, expected="an endpoint, endpoint@v2, or a digest", found=what, way_out=hint)


def _of_version(where: Installation, endpoint: str, version: str) -> Digest:
    stored = where.shelf.ledger.records.latest("release", subject=endpoint, limit=_ALL)
    named = [(one.id, parse(one.body, Release).name) for one in stored]
    for digest, name in named:
        if not version or name == version:
            return digest
    msg = f"{endpoint} has no release {version}".strip()
    raise NotFound(msg, expected=", ".join(name for _, name in named) or "a release", found=version or "none")
