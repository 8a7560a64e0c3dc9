"""What is kept is read back verified, no release number is given twice, and a plan comes after all that it names."""

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.kernel.canonical import Digest, canonical, digest_of, parse, sha256
from lockgate.kernel.errors import Conflict, Corrupt, LockgateError, Malformed, NotFound
from lockgate.kernel.folders import StateFolder
from lockgate.ledger.blobs import disk_blobs, memory_blobs
from lockgate.ledger.memory import MemoryLedger
from lockgate.ledger.opening import open_ledger
from lockgate.ledger.protocols import Entry, Lease, Move
from lockgate.packages.folder import MANIFEST, pack
from lockgate.packages.runtime import load_package
from lockgate.packages.signing import Trust, make_key
from lockgate.records.package import Package
from lockgate.records.release import Release
from lockgate.records.rollout import Endpoint, LiveLevel, Share, TrafficPlan
from lockgate.records.snapshot import Snapshot
from lockgate.records.training import Environment
from lockgate.registry.shelf import Shelf
from tests.making.package import NAME, START, make_package

ENDPOINT = Endpoint(name=NAME, replay=True, by="tests", at=START)
FILES = {"contract.json": b"{}", "model.bin": b"model", "tables/planes.msgpack": b"planes"}
NOTHING = sha256(b"")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    state = StateFolder(tmp_path / "state")
    make_key(state.signing_key, state.trust)
    return Shelf(MemoryLedger(), disk_blobs(state.blobs), state)


@pytest.fixture
def sql_shelf(tmp_path: Path) -> Iterator[Shelf]:
    state = StateFolder(tmp_path / "state")
    state.root.mkdir()
    with open_ledger(f"sqlite:///{state.ledger}") as ledger:
        yield Shelf(ledger, disk_blobs(state.blobs), state)


def environment(number: int = 0) -> Environment:
    return Environment(python="3.11", packages={"polars": str(number)})


def drafted(folder: Path, files: dict[str, bytes] | None = None) -> tuple[Path, Digest]:
    """Pack a folder outside of where packages lie."""
    fields: dict[str, Any] = dict.fromkeys(("training_set", "code", "environment"), NOTHING)
    digest, _ = pack(folder, FILES if files is None else files, project=NAME, format="skops/1", parameters={}, **fields)
    return folder, digest


def blob_of(shelf: Shelf, data: bytes) -> Path:
    """Find the file of a blob on disk."""
    (found,) = shelf.state.blobs.rglob(sha256(data).removeprefix("sha256:"))
    return found


def released(package: Digest, number: int = 1) -> Release:
    return Release(
        endpoint=NAME,
        number=number,
        package=package,
        training_run=NOTHING,
        evidence=(),
        verdicts=(),
        commit="0" * 40,
        dirty=False,
        line="line-1",
        by="tests",
        at=START,
    )


def plan_of(live: Digest, number: int = 1, **more: Any) -> TrafficPlan:  # noqa: ANN401 - fields of a plan
    return TrafficPlan(
        endpoint=NAME, number=number, live=live, level=LiveLevel.PROVISIONAL, reason="r", by="tests", at=START, **more
    )


def ship(shelf: Shelf, draft: Path, files: dict[str, bytes] | None = None, number: int = 1) -> Digest:
    """Keep a package and a release of it; give the release's digest."""
    folder, _ = drafted(draft, files)
    return shelf.keep_release(released(shelf.keep_package(folder, by="tests", at=START), number))


def test_a_record_is_kept_under_its_digest_and_read_back(shelf: Shelf) -> None:
    digest = shelf.keep(environment(), subject="p", by="tests", at=START)

    assert digest == digest_of(environment())
    assert shelf.get(Environment, digest) == environment()
    stored = shelf.ledger.records.get("environment", digest)
    assert stored is not None
    assert (stored.kind, stored.subject, stored.body) == ("environment", "p", canonical(environment()))


def test_what_is_kept_twice_is_kept_once(shelf: Shelf) -> None:
    first = shelf.keep(environment(), subject="p", by="tests", at=START)

    assert shelf.keep(environment(), subject="q", by="others", at=START + timedelta(1)) == first
    assert len(shelf.ledger.records.list("environment")) == 1


@given(packages=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=4), python=st.text(max_size=5))
def test_any_record_is_read_back(packages: dict[str, str], python: str) -> None:
    shelf = Shelf(MemoryLedger(), memory_blobs(), StateFolder(Path("state")))
    record = Environment(python=python, packages=packages)

    assert shelf.get(Environment, shelf.keep(record, subject="p", by="tests", at=START)) == record


def test_what_is_not_there_is_not_found_by_its_name(shelf: Shelf) -> None:
    digest = shelf.keep(environment(), subject="p", by="tests", at=START)

    with pytest.raises(NotFound, match=f"There is no environment {digest_of(environment(1))}"):
        shelf.get(Environment, digest_of(environment(1)))
    with pytest.raises(NotFound, match=f"There is no snapshot {digest}"):
        shelf.get(Snapshot, digest)


def test_a_record_that_is_not_what_its_digest_says_is_corrupt(shelf: Shelf) -> None:
    digest = digest_of(environment())
    entry = Entry(kind="environment", id=digest, subject="p", body=canonical(environment(1)), by="tests", at=START)
    shelf.ledger.records.append(entry)

    with pytest.raises(Corrupt) as refused:
        shelf.get(Environment, digest)
    assert (refused.value.expected, refused.value.found) == (digest, digest_of(environment(1)))


def test_what_a_lost_lease_would_keep_is_not_kept(shelf: Shelf, tmp_path: Path) -> None:
    folder, _ = drafted(tmp_path / "draft")
    lost = shelf.ledger.leases.acquire("line/l", owner="a", now=START, span=timedelta(seconds=1))
    assert isinstance(lost, Lease)
    late = START + timedelta(seconds=2)
    release = msgspec.structs.replace(released(NOTHING), at=late)
    writes: list[Callable[[], object]] = [
        lambda: shelf.keep(environment(), subject="p", by="tests", at=late, fence=lost),
        lambda: shelf.keep_package(folder, by="tests", at=late, fence=lost),
        lambda: shelf.keep_release(release, fence=lost),
        lambda: shelf.number_for("walk", NAME, by="tests", at=late, fence=lost),
        lambda: shelf.keep_release(released(NOTHING), fence=lost, now=late),
    ]
    for write in writes:
        with pytest.raises(Conflict):
            write()

    for kind in ("environment", "package", "release", "envelope"):
        assert list(shelf.ledger.records.list(kind)) == []
    assert shelf.number_for("walk", NAME, by="tests", at=late) == (1, late)
    assert shelf.keep(environment(), subject="p", by="tests", at=START, fence=lost) == digest_of(environment())


def test_a_package_is_kept_and_unpacked_byte_for_byte(shelf: Shelf, tmp_path: Path) -> None:
    folder, digest = drafted(tmp_path / "draft")
    assert shelf.keep_package(folder, by="tests", at=START) == digest
    unpacked = shelf.unpack(digest)

    assert unpacked == shelf.state.package(digest)
    assert {path.relative_to(unpacked).as_posix(): path.read_bytes() for path in files_in(unpacked)} == {
        **FILES,
        MANIFEST: (folder / MANIFEST).read_bytes(),
    }
    assert shelf.get(Package, digest).project == NAME


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_package_that_serves_serves_after_it_was_kept(shelf: Shelf, tmp_path: Path) -> None:
    elsewhere = StateFolder(tmp_path / "elsewhere")
    digest = make_package(elsewhere, NAME, 1)
    shelf.keep_package(elsewhere.package(digest), by="tests", at=START)

    assert load_package(shelf.unpack(digest), digest).reference_result["worst_difference"] == 0


def test_a_package_is_unpacked_again_where_a_file_of_it_is_gone(shelf: Shelf, tmp_path: Path) -> None:
    folder, digest = drafted(tmp_path / "draft")
    shelf.keep_package(folder, by="tests", at=START)
    for gone in (*FILES, MANIFEST):
        (shelf.unpack(digest) / gone).unlink()

        assert (shelf.unpack(digest) / gone).read_bytes() == (folder / gone).read_bytes()


@pytest.mark.parametrize("path", FILES)
def test_a_package_that_is_not_what_its_manifest_says_is_not_kept(shelf: Shelf, tmp_path: Path, path: str) -> None:
    folder, digest = drafted(tmp_path / "draft")
    (folder / path).write_bytes(b"other")

    with pytest.raises(Corrupt):
        shelf.keep_package(folder, by="tests", at=START)
    with pytest.raises(NotFound):
        shelf.get(Package, digest)
    assert not shelf.blobs.has(sha256(b"other"))


def test_a_folder_without_a_package_is_not_kept(shelf: Shelf, tmp_path: Path) -> None:
    folder, _ = drafted(tmp_path / "draft")
    (folder / MANIFEST).write_bytes(b"{}")

    with pytest.raises(Malformed):
        shelf.keep_package(folder, by="tests", at=START)


@pytest.mark.parametrize("path", FILES)
def test_a_damaged_blob_is_noticed_and_nothing_of_it_unpacked(shelf: Shelf, tmp_path: Path, path: str) -> None:
    folder, digest = drafted(tmp_path / "draft")
    shelf.keep_package(folder, by="tests", at=START)
    blob = blob_of(shelf, FILES[path])
    blob.write_bytes(bytes([blob.read_bytes()[0] ^ 1]) + blob.read_bytes()[1:])

    with pytest.raises(Corrupt):
        shelf.unpack(digest)
    assert not (shelf.state.package(digest) / path).exists()
    assert not (shelf.state.package(digest) / MANIFEST).exists()


def test_a_blob_that_is_gone_is_noticed(shelf: Shelf, tmp_path: Path) -> None:
    folder, digest = drafted(tmp_path / "draft")
    shelf.keep_package(folder, by="tests", at=START)
    blob_of(shelf, b"model").unlink()

    with pytest.raises(NotFound, match="There is no blob"):
        shelf.unpack(digest)


@pytest.mark.parametrize("path", [*FILES, MANIFEST])
def test_an_unpacked_file_that_was_damaged_is_noticed_or_written_again(shelf: Shelf, tmp_path: Path, path: str) -> None:
    folder, digest = drafted(tmp_path / "draft")
    shelf.keep_package(folder, by="tests", at=START)
    (shelf.unpack(digest) / path).write_bytes(b"other")
    try:
        shelf.unpack(digest)
    except LockgateError:
        return

    assert (shelf.state.package(digest) / path).read_bytes() == (folder / path).read_bytes()


def test_numbers_count_from_one_for_each_endpoint(shelf: Shelf) -> None:
    def numbers(name: str, *walks: str) -> list[int]:
        return [shelf.number_for(walk, name, by="tests", at=START)[0] for walk in walks]

    assert numbers("a", "k", "l", "m") == [1, 2, 3]
    assert numbers("b", "k", "l", "m") == [1, 2, 3]
    assert numbers("a", "n", "o", "p") == [4, 5, 6]


def test_a_walk_that_asks_again_gets_its_number_and_its_moment_again(shelf: Shelf) -> None:
    first = shelf.number_for("killed", NAME, by="tests", at=START)
    assert shelf.number_for("other", NAME, by="tests", at=START) == (2, START)
    assert shelf.number_for("killed", NAME, by="tests", at=START + timedelta(minutes=1)) == first == (1, START)
    assert shelf.number_for("next", NAME, by="tests", at=START)[0] == 3


@pytest.mark.parametrize("kind", ["shelf", "sql_shelf"])
def test_no_number_is_given_twice_to_many_who_ask_at_once(kind: str, request: pytest.FixtureRequest) -> None:
    shelf: Shelf = request.getfixturevalue(kind)
    given: list[int] = []
    lost: list[Conflict] = []
    together = threading.Barrier(6)

    def ask() -> None:
        together.wait()
        for turn in range(8):
            walk = f"{threading.get_ident()} {turn}"
            try:
                given.append(shelf.number_for(walk, NAME, by="tests", at=START)[0])
            except Conflict as error:  # somebody was faster
                lost.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(given) + len(lost) == 48
    assert sorted(given) == list(range(1, len(given) + 1))
    assert shelf.number_for("next", NAME, by="tests", at=START)[0] == len(given) + 1


class Overtaken(MemoryLedger):
    """A ledger whose pointer moves once, by somebody else's hand, between being read and being moved."""

    def __init__(self) -> None:
        super().__init__()
        self._inner = super().pointers
        self._rivals: list[Callable[[], object]] = []

    def overtake(self, rival: Callable[[], object]) -> None:
        self._rivals.append(rival)

    @property
    def pointers(self) -> Any:  # noqa: ANN401 - this very object, which reads and moves
        return self

    def history(self, name: str) -> Sequence[Move]:
        found = self._inner.history(name)
        if self._rivals:
            self._rivals.pop()()
        return found

    def move(self, name: str, **how: Any) -> Move:  # noqa: ANN401 - as pointers have it
        return self._inner.move(name, **how)


@pytest.mark.parametrize("before", [0, 3], ids=["the first number", "a later number"])
def test_who_is_overtaken_is_given_no_number(tmp_path: Path, before: int) -> None:
    ledger = Overtaken()
    raced = Shelf(ledger, memory_blobs(), StateFolder(tmp_path))
    taken: list[int] = []

    def take() -> None:
        taken.append(raced.number_for(f"rival {len(taken)}", NAME, by="rival", at=START)[0])

    for _ in range(before):
        take()
    ledger.overtake(take)

    with pytest.raises(Conflict):
        raced.number_for("overtaken", NAME, by="tests", at=START)
    take()
    assert taken == list(range(1, before + 3))


def test_a_release_is_kept_with_an_envelope_that_others_can_verify(shelf: Shelf) -> None:
    release = released(sha256(b"package"))
    digest = shelf.keep_release(release)
    envelope = shelf.ledger.records.get("envelope", digest)

    assert digest == digest_of(release)
    assert shelf.get(Release, digest) == release
    assert envelope is not None
    assert Trust.read(shelf.state.trust).verify(envelope.body) == release
    assert shelf.keep_release(release) == digest
    assert len(shelf.ledger.records.list("envelope", subject=NAME)) == 1


def test_without_a_key_nothing_is_released(shelf: Shelf) -> None:
    shelf.state.signing_key.unlink()

    with pytest.raises(NotFound, match="no signing key"):
        shelf.keep_release(released(NOTHING))
    assert list(shelf.ledger.records.list("release")) == []


def test_all_that_a_plan_names_is_there_once_it_is(shelf: Shelf, tmp_path: Path) -> None:
    live, before, canary = (
        ship(shelf, tmp_path / str(number), FILES | {"model.bin": b"%d" % number}, number) for number in (1, 2, 3)
    )
    plan = plan_of(live, previous=before, canaries=(Share(release=canary, share=0.1),))
    shelf.install(ENDPOINT, plan)
    state = shelf.state

    assert parse(state.plan(NAME).read_bytes(), TrafficPlan) == plan
    assert parse((state.endpoint(NAME) / "endpoint.json").read_bytes(), Endpoint) == ENDPOINT
    assert {path.stem for path in (state.endpoint(NAME) / "releases").iterdir()} == {
        digest.removeprefix("sha256:") for digest in (live, before, canary)
    }
    for digest in plan.releases():
        release = Trust.read(state.trust).verify(state.release(NAME, digest).read_bytes())
        assert digest_of(release) == digest
        package = state.package(release.package)
        manifest = parse((package / MANIFEST).read_bytes(), Package, digest=release.package)
        assert {file.path: sha256((package / file.path).read_bytes()) for file in manifest.files} == {
            file.path: file.digest for file in manifest.files
        }


def test_to_install_again_changes_nothing(shelf: Shelf, tmp_path: Path) -> None:
    plan = plan_of(ship(shelf, tmp_path / "draft"))

    def content() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in files_in(shelf.state.root)}

    shelf.install(ENDPOINT, plan)
    before = content()
    shelf.install(ENDPOINT, plan)
    assert content() == before


def in_the_way(path: Path) -> None:
    """Put a folder where a file is to be put: it can't be replaced by one."""
    path.unlink(missing_ok=True)
    (path / "x").mkdir(parents=True)


OBSTACLES: dict[str, Callable[[Shelf, Digest, Digest], object]] = {
    "a damaged model": lambda shelf, _, __: blob_of(shelf, b"new").write_bytes(b"NEW"),
    "a model that is gone": lambda shelf, _, __: blob_of(shelf, b"new").unlink(),
    "no room for the model": lambda shelf, _, package: in_the_way(shelf.state.package(package) / "model.bin"),
    "no room for the manifest": lambda shelf, _, package: in_the_way(shelf.state.package(package) / MANIFEST),
    "no room for the envelope": lambda shelf, release, _: in_the_way(shelf.state.release(NAME, release)),
    "no room for what the endpoint is": lambda shelf, _, __: in_the_way(shelf.state.endpoint(NAME) / "endpoint.json"),
}


@pytest.mark.parametrize("what", OBSTACLES)
def test_whatever_is_in_the_way_the_old_plan_stands(shelf: Shelf, tmp_path: Path, what: str) -> None:
    old = plan_of(ship(shelf, tmp_path / "old"))
    shelf.install(ENDPOINT, old)
    new = ship(shelf, tmp_path / "new", FILES | {"model.bin": b"new"}, 2)
    OBSTACLES[what](shelf, new, shelf.get(Release, new).package)

    with pytest.raises((LockgateError, OSError)):
        shelf.install(ENDPOINT, plan_of(new, 2, previous=old.live))
    assert parse(shelf.state.plan(NAME).read_bytes(), TrafficPlan) == old
    assert shelf.state.release(NAME, old.live).is_file()


UNINSTALLABLE: dict[str, Callable[[Shelf], Digest]] = {
    "a release that nobody made": lambda _: sha256(b"release"),
    "a release that was never signed": lambda shelf: shelf.keep(
        released(next(iter(shelf.ledger.records.list("package"))).id, 9), subject=NAME, by="tests", at=START
    ),
    "a release of a package that nobody kept": lambda shelf: shelf.keep_release(released(sha256(b"package"))),
}


@pytest.mark.parametrize("place", ["live", "previous"])
@pytest.mark.parametrize("what", UNINSTALLABLE)
def test_a_plan_with_something_that_is_not_there_is_not_put_in_place(
    shelf: Shelf, tmp_path: Path, what: str, place: str
) -> None:
    good = ship(shelf, tmp_path / "draft")
    bad = UNINSTALLABLE[what](shelf)

    with pytest.raises(NotFound):
        shelf.install(ENDPOINT, plan_of(bad, previous=good) if place == "live" else plan_of(good, previous=bad))
    assert not shelf.state.plan(NAME).exists()


def test_a_reader_that_sees_a_plan_finds_all_that_it_names(shelf: Shelf, tmp_path: Path) -> None:
    releases = [
        ship(shelf, tmp_path / str(number), FILES | {"model.bin": b"%d" % number}, number) for number in range(1, 9)
    ]
    state, ended = shelf.state, threading.Event()
    missing: list[Path] = []
    seen: set[int] = set()

    def look() -> None:
        over = False
        while not over:
            over = ended.is_set()  # read before looking: the last plan is looked at, too
            if state.plan(NAME).exists():
                plan = parse(state.plan(NAME).read_bytes(), TrafficPlan)
                seen.add(plan.number)
                package = state.package(shelf.get(Release, plan.live).package)
                named = [state.release(NAME, plan.live), package / MANIFEST, *(package / path for path in FILES)]
                missing.extend(path for path in named if not path.is_file())

    reader = threading.Thread(target=look)
    reader.start()
    for number, digest in enumerate(releases, 1):
        shelf.install(ENDPOINT, plan_of(digest, number))
    ended.set()
    reader.join()

    assert missing == []
    assert max(seen) == len(releases)
