"""The endpoints of a worker, and how they come to obey a new plan.

- A plan that can't be obeyed leaves the old one in force; the reason is kept and shown until the next plan is obeyed.
- An endpoint whose first plan can't be obeyed is not ready and says why; the others serve.
- At the start a previous release that does not load keeps nobody waiting: the live one serves, and the lack is shown.
- A push may get lost, so plan files are looked at every second; new endpoints are found the same way.
- A release is not obeyed before what it looks up is in the online store, marked as whole. What is only not there *yet*
  is tried again every second; ingest need not run for a release that is marked.
"""

import asyncio
import contextlib
import gc
from collections import defaultdict
from pathlib import Path

import msgspec

from lockgate.kernel.canonical import Digest, short
from lockgate.kernel.errors import LockgateError, NotFound, Unavailable
from lockgate.kernel.names import is_name, nearest
from lockgate.records.rollout import TrafficPlan
from lockgate.serving.endpoint import Endpoint
from lockgate.serving.loading import check_successor, load_version, read_endpoint, read_plan
from lockgate.serving.surroundings import Surroundings
from lockgate.serving.version import Version

__all__ = ["Ack", "EndpointState", "Roster"]

_Stamp = tuple[int, int, int]
_SHOWN = 63
_PREPARE_SECONDS = 20.0


class Ack(msgspec.Struct, frozen=True):
    """A plan is in force; from here on nobody gets an answer of the one before."""

    endpoint: str
    plan: int
    milliseconds: float


class EndpointState(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an endpoint is."""

    # Whether it answers.
    ready: bool
    # The number of the plan in force.
    plan: int | None = None
    # The version that answers, for people and by digest.
    version: str | None = None
    release: Digest | None = None
    # What is not as the plan wants it.
    trouble: str | None = None


class Roster:
    """Holds the endpoints.

    Args:
        around: what the worker gives to each.
    """

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self.endpoints: dict[str, Endpoint] = {}
        self._troubles: dict[str, LockgateError] = {}
        self._stamps: dict[str, _Stamp] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        # Versions that are loaded, and wait for their series.
        self._waiting: defaultdict[str, dict[Digest, Version]] = defaultdict(dict)

    def find(self, name: str) -> Endpoint:
        """Give an endpoint that answers.

        Raises:
            NotFound: there is none of that name; with the nearest.
            Unavailable: there is, but it has no plan that can be obeyed.
        """
        if (found := self.endpoints.get(name)) is not None:
            return found
        if (trouble := self._troubles.get(name)) is not None:
            raise Unavailable(f"The endpoint {name} is not ready", found=str(trouble), way_out=trouble.way_out)
        known = [*self.endpoints, *self._troubles]
        said = name[:_SHOWN]
        raise NotFound(f"There is no endpoint {said}", found=said, way_out=nearest(said, known))

    def states(self) -> dict[str, EndpointState]:
        """Tell how each endpoint is."""
        return {name: self._state_of(name) for name in sorted({*self.endpoints, *self._troubles})}

    def _state_of(self, name: str) -> EndpointState:
        endpoint, trouble = self.endpoints.get(name), self._troubles.get(name)
        why = None if trouble is None else str(trouble)
        if endpoint is None:
            return EndpointState(ready=False, trouble=why)
        live = endpoint.live
        return EndpointState(True, endpoint.plan.number, live.release.name, live.digest, why)  # noqa: FBT003 - ready

    async def look(self) -> None:
        """Obey every plan whose file is new or was changed since it was last looked at."""
        changed = []
        for path in sorted(self._around.state.endpoints.glob("*/plan.json")):
            name, stamp = path.parent.name, _stamp(path)
            if stamp is not None and stamp != self._stamps.get(name) and is_name(name):
                changed.append(name)
        await asyncio.gather(*(self._try(name) for name in changed))

    async def keep_asking(self) -> None:
        """Tell ingest what is loaded, so that it goes on feeding it, whatever the plan on disk says meanwhile."""
        ingest = self._around.ingest
        if ingest is None:
            return
        for name, endpoint in list(self.endpoints.items()):
            for version in endpoint.versions.values():
                if version.series:
                    with contextlib.suppress(Unavailable):
                        await ingest.prepare(name, version.digest, _PREPARE_SECONDS)

    async def _try(self, name: str) -> None:
        # What is wrong is kept as the endpoint's trouble; it is tried again when the file changes or a push comes.
        with contextlib.suppress(LockgateError):
            await self.obey(name)

    async def obey(self, name: str) -> Ack:
        """Put the plan in force that the state folder has for an endpoint.

        Raises:
            LockgateError: it can't be obeyed; the old one stays in force.
        """
        began = self._around.stopwatch()
        path = self._around.state.plan(name)
        if not is_name(name) or not path.exists():
            found = [one.parent.name for one in self._around.state.endpoints.glob("*/plan.json")]
            raise NotFound(f"There is no plan for an endpoint {name}", found=name, way_out=nearest(name, found))
        async with self._locks[name]:
            stamp = _stamp(path)
            try:
                plan, trouble = await self._obey_or_say_why(name)
            except LockgateError as error:
                self._note(name, stamp, error)
                raise
            self._note(name, stamp, trouble)
        return Ack(name, plan.number, round((self._around.stopwatch() - began) * 1000, 3))

    def _note(self, name: str, stamp: _Stamp | None, trouble: LockgateError | None) -> None:
        """Keep what is not as the plan wants it; what may come by itself is tried again."""
        self._troubles.pop(name, None)
        self._stamps.pop(name, None)
        if trouble is not None:
            self._troubles[name] = trouble
        if stamp is not None and not isinstance(trouble, Unavailable):
            self._stamps[name] = stamp

    def close(self) -> None:
        """End the logs."""
        for endpoint in self.endpoints.values():
            endpoint.close()

    async def _obey_or_say_why(self, name: str) -> tuple[TrafficPlan, LockgateError | None]:
        try:
            return await self._obey(name)
        except OSError as error:
            raise Unavailable(f"The files of {name} can't be used", found=str(error)) from error

    async def _obey(self, name: str) -> tuple[TrafficPlan, LockgateError | None]:
        plan, endpoint = read_plan(self._around.state, name), self.endpoints.get(name)
        if endpoint is None:
            self.endpoints[name], trouble = await self._open(name, plan)
            return plan, trouble
        check_successor(plan, endpoint.plan)
        missing = [digest for digest in plan.releases() if digest not in endpoint.versions]
        endpoint.obey(plan, await self._load(name, missing))
        return plan, None

    async def _open(self, name: str, plan: TrafficPlan) -> tuple[Endpoint, LockgateError | None]:
        spec = read_endpoint(self._around.state, name)
        versions, trouble = await self._load(name, [plan.live]), None
        try:
            versions |= await self._load(name, [digest for digest in plan.releases() if digest != plan.live])
        except LockgateError as error:
            trouble = error
        return await asyncio.to_thread(Endpoint, spec, self._around, plan, versions), trouble

    async def _load(self, name: str, digests: list[Digest]) -> dict[Digest, Version]:
        """Load releases, and wait for what they look up."""
        waiting = self._waiting[name]
        missing = [digest for digest in digests if digest not in waiting]
        if missing:
            waiting |= await asyncio.to_thread(self._read, name, missing)
        for digest in digests:
            await self._until_ready(name, waiting[digest])
        # What waited for a plan that is past is let go with it.
        del self._waiting[name]
        return {digest: waiting[digest] for digest in digests}

    async def _until_ready(self, name: str, version: Version) -> None:
        if version.is_ready():
            return
        if self._around.ingest is not None:
            await self._around.ingest.prepare(name, version.digest, _PREPARE_SECONDS)
        if not version.is_ready():
            raise Unavailable(
                f"What release {short(version.digest)} of {name} looks up is not in the online store",
                expected="its series, marked as whole",
                found="no such mark",
            )

    def _read(self, name: str, digests: list[Digest]) -> dict[Digest, Version]:
        around = self._around
        versions = {one: load_version(around.state, name, one, around.store, around.machine) for one in digests}
        if versions:
            # What is loaded stays for long: the collector need not walk through it on every round. What was frozen
            # before stays so, since to thaw it would hold up answers for as long as it takes to walk through it.
            gc.collect()
            gc.freeze()
        return versions


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
