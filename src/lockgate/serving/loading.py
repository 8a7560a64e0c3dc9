"""Brings a plan and its releases from the state folder into memory; reads only.

- A plan is obeyed as a whole or not at all; one that uses what this release can't do is refused.
- A release counts only under its own digest, for its own endpoint, and with a trusted signature over it; the package is
  read after that, each file verified before it is parsed, and gives its reference answers before it serves.
"""

from pathlib import Path

from lockgate.features.series import ready_key
from lockgate.features.store import Readable
from lockgate.kernel.canonical import Digest, digest_of, parse, short
from lockgate.kernel.errors import Conflict, Failed, Invalid, LockgateError, NotFound, Untrusted
from lockgate.kernel.folders import StateFolder
from lockgate.packages.folder import read_part
from lockgate.packages.runtime import load_package
from lockgate.packages.signing import Trust
from lockgate.records.release import Release
from lockgate.records.rollout import Endpoint, TrafficPlan
from lockgate.serving.version import Version

__all__ = ["check_successor", "load_version", "read_endpoint", "read_plan", "read_release"]

_LARGEST = 1 << 20


def read_plan(state: StateFolder, name: str) -> TrafficPlan:
    """Read the plan of an endpoint.

    Raises:
        NotFound: there is none.
        Malformed: it is none.
        Invalid: it is another endpoint's, or asks for what this release can't do.
    """
    plan = parse(_bytes(state.plan(name)), TrafficPlan)
    asked = [part for part in ("canaries", "shadows", "experiments", "regions") if getattr(plan, part)]
    if asked:
        raise Invalid(
            f"Plan {plan.number} of {name} asks for what this release of Lockgate can't do",
            expected="a plan with a live and a previous release only",
            found=", ".join(asked),
        )
    if plan.endpoint != name:
        raise Invalid(f"The plan of {name} is another endpoint's", expected=name, found=plan.endpoint)
    return plan


def check_successor(plan: TrafficPlan, before: TrafficPlan) -> None:
    """Refuse a plan that does not come after the one in force, nor is it.

    Raises:
        Conflict: its number is lower, or the same with another content.
    """
    if plan.number > before.number or plan == before:
        return
    raise Conflict(
        f"Plan {plan.number} of {plan.endpoint} can't follow plan {before.number}; that one stays in force",
        expected=f"plan {before.number + 1} or later",
        found=f"plan {plan.number}",
        way_out="Going back is a new plan with a higher number.",
    )


def read_endpoint(state: StateFolder, name: str) -> Endpoint:
    """Read what an endpoint is.

    Raises:
        NotFound: that is not said.
        Malformed: it is said in a way that can't be read.
    """
    return parse(_bytes(state.endpoint(name) / "endpoint.json"), Endpoint)


def read_release(state: StateFolder, endpoint: str, digest: Digest) -> Release:
    """Read a release that is trusted.

    Raises:
        Untrusted: its signature or digest does not hold; nothing of it was parsed or run.
        NotFound: it is not there.
    """
    release = Trust.read(state.trust).verify(_bytes(state.release(endpoint, digest)))
    _check_named(release, endpoint, digest)
    return release


def load_version(
    state: StateFolder, endpoint: str, digest: Digest, store: Readable | None = None, machine: str = ""
) -> Version:
    """Verify and load a release; what it looks up is read from the store when it is asked.

    Args:
        state: the files.
        endpoint: whose release.
        digest: the release.
        store: where its series are; None where nothing is to be looked up in them.
        machine: whose mark says that they are ready.

    Raises:
        Untrusted, NotFound: as `read_release`.
        NotFound, Corrupt, Malformed, Invalid, Failed: as `load_package`.
    """
    try:
        release = read_release(state, endpoint, digest)
        package = load_package(state.package(release.package), release.package)
        return Version(digest, release, package, store, ready_key(machine, endpoint, digest))
    except LockgateError:
        raise
    except Exception as error:
        # The library of the model begins here, and raises what it likes.
        raise Failed(f"Release {short(digest)} can't be loaded", found=f"{type(error).__name__}: {error}") from error


def _check_named(release: Release, endpoint: str, digest: Digest) -> None:
    """Refuse a release that was signed, but put under another one's name."""
    found = digest_of(release)
    if found != digest or release.endpoint != endpoint:
        raise Untrusted(
            "This release is not the one that the plan names",
            expected=f"{short(digest)} of {endpoint}",
            found=f"{short(found)} of {release.endpoint}",
        )


def _bytes(path: Path) -> bytes:
    try:
        return read_part(path.parent, path.name, _LARGEST)
    except OSError as error:
        raise NotFound(f"{path.name} can't be read", expected=f"the file {path}", found=str(error)) from error
