"""Space is freed of what no rule keeps, and of nothing else: not beside a walk, not halfway, not for good."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from lockgate.engine.delivery import current_plan, install_current
from lockgate.engine.holding import SWEEP, is_swept, pinning, take
from lockgate.engine.installation import Installation
from lockgate.engine.packages import show_package
from lockgate.engine.reconcile import advance, open_import
from lockgate.engine.retention import Garbage, Retention, find_garbage, read_ground, why_kept
from lockgate.engine.status import endpoint_status
from lockgate.engine.sweeping import sweep
from lockgate.engine.walk import LEASE_SPAN
from lockgate.kernel.canonical import Digest, parse, sha256
from lockgate.kernel.errors import Conflict, Invalid, NotFound
from lockgate.records.line import Sweep
from lockgate.records.package import Package
from lockgate.records.release import Release
from tests.making.brought import SCRIPT
from tests.unit.engine.making import Clock, asked, bring, opened, write_rules

DAY = timedelta(days=1)
LITTLE = Retention(keep_for=DAY, keep_releases=1)
SCRIPTS = [SCRIPT.replace("0.2 +", f"0.2{number} +") for number in range(4)]

KILLED = """
import os
import sys
from datetime import datetime
from pathlib import Path

from lockgate.engine.sweeping import sweep
from lockgate.ledger.blobs import ObjectBlobs
from tests.unit.engine.making import Clock, opened
from tests.unit.engine.test_sweeping import LITTLE

deleted, really = [], ObjectBlobs.delete


def delete(blobs, digest):
    if len(deleted) == 2:
        os._exit(9)
    deleted.append(digest)
    really(blobs, digest)


ObjectBlobs.delete = delete
with opened(Path(sys.argv[1]), Clock(datetime.fromisoformat(sys.argv[2]))) as where:
    sweep(where, LITTLE, by="ada")
"""


class Kept(NamedTuple):
    """An installation of four releases, a hundred days after they were made."""

    where: Installation
    clock: Clock
    root: Path

    def package(self, version: int) -> Digest:
        releases = endpoint_status(self.where, "rules").releases
        return next(one.package for one in releases if one.version == f"v{version}")

    def contract(self, version: int) -> Digest:
        """Give the blob that is a version's own."""
        found = self.where.shelf.get(Package, self.package(version)).file("contract.json")
        assert found is not None
        return found.digest

    def garbage(self, retention: Retention = LITTLE) -> Garbage:
        return find_garbage(self.where, retention)

    def there(self) -> set[Digest]:
        return set(self.where.shelf.blobs.digests())

    def is_whole(self) -> bool:
        """Tell whether all that the endpoint needs is there: its plan's packages, unpacked from blobs alone."""
        shutil.rmtree(self.where.state.root / "packages")
        install_current(self.where, "rules")
        plan = current_plan(self.where, "rules")
        assert plan is not None
        names = [self.where.shelf.get(Release, digest).name for digest in plan.releases()]
        return all(show_package(self.where, f"rules@{name}").package.bytes for name in names)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, really: Clock) -> Path:
    root = tmp_path_factory.mktemp("kept")
    with opened(root, Clock(really.now)) as where:
        for script in SCRIPTS:
            write_rules(root, script)
            bring(where, root)
    return root


@pytest.fixture
def kept(template: Path, tmp_path: Path, really: Clock) -> Iterator[Kept]:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    clock = Clock(really.now + 100 * DAY)
    with opened(tmp_path, clock) as where:
        yield Kept(where, clock, tmp_path)


def test_what_is_live_and_what_can_be_gone_back_to_stay_and_what_is_older_goes(kept: Kept) -> None:
    gone = {one.digest for one in kept.garbage().blobs}

    # The second is what the third was compared with; its evidence is about both.
    assert [kept.contract(version) in gone for version in (1, 2, 3, 4)] == [True, False, False, False]


def test_a_dry_run_says_what_why_and_how_many_bytes_and_changes_nothing(kept: Kept) -> None:
    before = kept.there()
    found = kept.garbage()
    one = next(blob for blob in found.blobs if blob.digest == kept.contract(1))

    assert found.bytes == sum(blob.bytes for blob in found.blobs) > 0
    assert "which no rule reaches" in one.why
    assert found.packages == [kept.package(1)]
    assert found.kept_blobs + len(found.blobs) == len(before)
    assert kept.there() == before


def test_within_the_time_that_is_kept_nothing_goes(kept: Kept) -> None:
    assert kept.garbage(Retention(keep_for=101 * DAY)).blobs == []


def test_so_many_releases_are_kept_however_old(kept: Kept) -> None:
    assert kept.contract(1) not in {one.digest for one in kept.garbage(Retention(keep_for=DAY, keep_releases=4)).blobs}


def test_what_is_reached_is_there_afterwards_and_what_was_given_up_is_not(kept: Kept) -> None:
    garbage = kept.garbage()
    reached = kept.there() - {one.digest for one in garbage.blobs}
    done = sweep(kept.where, LITTLE, by="ada")

    assert kept.there() == reached
    assert done.garbage.bytes == garbage.bytes
    assert done.steps > 0
    assert kept.garbage().blobs == []
    assert kept.is_whole()
    (said,) = kept.where.shelf.ledger.records.latest("sweep", limit=9)
    assert (parse(said.body, Sweep).blobs, said.by) == (len(garbage.blobs), "ada")


def test_records_stay_so_what_was_released_is_still_told(kept: Kept) -> None:
    before = endpoint_status(kept.where, "rules")
    sweep(kept.where, LITTLE, by="ada")

    assert endpoint_status(kept.where, "rules") == before
    with pytest.raises(NotFound, match="There is no blob"):
        show_package(kept.where, "rules@v1")


def test_a_walk_does_again_what_was_swept_and_releases_the_same_package(kept: Kept) -> None:
    first = kept.package(1)
    sweep(kept.where, LITTLE, by="ada")
    write_rules(kept.root, SCRIPTS[0])
    bring(kept.where, kept.root)

    assert kept.package(5) == first
    assert kept.is_whole()


def test_killed_midway_all_that_is_reached_is_whole_and_the_same_command_goes_on(kept: Kept) -> None:
    gone = {one.digest for one in kept.garbage().blobs}
    reached = kept.there() - gone
    command = [sys.executable, "-c", KILLED, str(kept.root), kept.clock.now.isoformat()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 9, done.stderr

    assert reached <= kept.there()
    assert len(gone & kept.there()) == len(gone) - 2
    assert kept.is_whole()
    assert not is_swept(kept.where)  # its owner is dead
    sweep(kept.where, LITTLE, by="ada")
    assert kept.there() == reached


def test_nothing_is_freed_while_a_walk_goes(kept: Kept) -> None:
    line = open_import(kept.where, asked(kept.root), rollout=False, attended=True, by="bob")
    before = kept.there()
    assert take(kept.where, f"line/{line.id}") is not None
    with pytest.raises(Conflict, match="while a walk goes"):
        sweep(kept.where, LITTLE, by="ada")
    assert kept.there() == before

    kept.clock.now += 2 * LEASE_SPAN
    sweep(kept.where, LITTLE, by="ada")
    assert kept.there() < before


def test_no_walk_goes_while_space_is_freed_and_it_goes_on_afterwards(kept: Kept) -> None:
    held = take(kept.where, SWEEP)
    assert held is not None
    line = open_import(kept.where, asked(kept.root), rollout=False, attended=True, by="bob")

    assert not advance(kept.where, line)
    with pytest.raises(Conflict, match="already"):
        sweep(kept.where, LITTLE, by="ada")
    kept.where.shelf.ledger.leases.release(held)
    assert advance(kept.where, line)


def test_a_snapshot_is_not_copied_beside_a_sweep_nor_swept_beside_a_copy(kept: Kept) -> None:
    with pinning(kept.where):
        with pytest.raises(Conflict, match="while a snapshot is copied"):
            sweep(kept.where, LITTLE, by="ada")
        with pytest.raises(Conflict, match="already"), pinning(kept.where):
            pytest.fail("two copies at once")
    held = take(kept.where, SWEEP)
    assert held is not None
    with pytest.raises(Conflict, match="while space is freed"), pinning(kept.where):
        pytest.fail("a copy beside a sweep")
    kept.where.shelf.ledger.leases.release(held)
    with pinning(kept.where):
        pass


def test_who_lost_the_lease_deletes_nothing_more(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    before = kept.there()

    def slowly(*_: object) -> list[object]:
        kept.clock.now += timedelta(minutes=5)
        assert take(kept.where, SWEEP) is not None
        return []

    monkeypatch.setattr("lockgate.engine.sweeping.swept_steps", slowly)
    with pytest.raises(Conflict):
        sweep(kept.where, LITTLE, by="ada")
    assert kept.there() == before
    assert is_swept(kept.where)


def test_what_a_walk_that_has_not_ended_did_is_kept_however_old(kept: Kept) -> None:
    assert "walk" not in read_ground(kept.where, LITTLE, kept.clock.now).roots.values()

    line = open_import(kept.where, asked(kept.root), rollout=False, attended=True, by="bob")
    kept.clock.now += 10 * DAY
    assert read_ground(kept.where, LITTLE, kept.clock.now).roots[line.id] == "walk"


def test_a_blob_that_was_stored_just_now_stays_though_nothing_mentions_it(kept: Kept, really: Clock) -> None:
    orphan = kept.where.shelf.blobs.put(b"of a walk that was killed")
    found = {one.digest: one.why for one in kept.garbage().blobs}
    assert found[orphan].startswith("no record mentions it")

    kept.clock.now = really.now + timedelta(hours=23)
    assert kept.garbage().blobs == []
    assert kept.garbage().young_blobs == 1


def test_why_something_is_kept_is_told_with_the_path_from_what_a_rule_names(kept: Kept) -> None:
    said = why_kept(kept.where, LITTLE, kept.contract(4))

    assert said.rule == "plan"
    assert [one.partition(" sha256:")[0] for one in said.path] == [
        "traffic-plan",
        "envelope and release",
        "package",
        "blob",
    ]
    assert why_kept(kept.where, LITTLE, kept.contract(1)).path == []
    with pytest.raises(NotFound):
        why_kept(kept.where, LITTLE, sha256(b"never"))


def test_so_little_is_not_kept(kept: Kept) -> None:
    for retention in (Retention(keep_for=DAY / 2), Retention(keep_releases=0)):
        with pytest.raises(Invalid):
            kept.garbage(retention)
