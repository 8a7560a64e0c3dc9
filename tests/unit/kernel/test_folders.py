"""A file is replaced whole; paths of the state folder stay inside it."""

import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lockgate.kernel.canonical import sha256
from lockgate.kernel.folders import StateFolder, replace_file


def test_a_file_is_made_with_the_folders_above_it(tmp_path: Path) -> None:
    replace_file(tmp_path / "a" / "b" / "file", b"new")

    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"new"


def test_readers_see_the_old_bytes_or_the_new_ones(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    bodies = [bytes([65 + n]) * 200_000 for n in range(8)]
    replace_file(path, bodies[0])
    seen: set[bytes] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for body in bodies * 5:
            replace_file(path, body)
    finally:
        done.set()
        reader.join()

    assert seen <= set(bodies)
    assert seen


def test_nothing_is_left_beside_the_file(tmp_path: Path) -> None:
    for body in (b"one", b"two"):
        replace_file(tmp_path / "plan.json", body)

    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]
    assert (tmp_path / "plan.json").read_bytes() == b"two"


def test_the_old_file_stays_when_the_new_one_can_not_take_its_place(tmp_path: Path) -> None:
    (tmp_path / "plan.json").mkdir()
    (tmp_path / "plan.json" / "inside").write_bytes(b"old")

    with pytest.raises(OSError, match=r"plan\.json"):
        replace_file(tmp_path / "plan.json", b"new")

    assert (tmp_path / "plan.json" / "inside").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


def test_a_secret_is_never_readable_by_others(tmp_path: Path) -> None:
    replace_file(tmp_path / "token", b"secret", mode=0o600)
    replace_file(tmp_path / "plan", b"public")

    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "plan").stat().st_mode) & 0o077 == 0o044


def test_many_may_replace_a_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    bodies = [bytes([65 + n]) * 100_000 for n in range(8)]
    with ThreadPoolExecutor(len(bodies)) as pool:
        list(pool.map(lambda body: replace_file(path, body), bodies * 5))

    assert path.read_bytes() in bodies
    assert [one.name for one in tmp_path.iterdir()] == ["plan.json"]


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"untouched")
    (tmp_path / "plan.json").symlink_to(elsewhere)
    replace_file(tmp_path / "plan.json", b"new")

    assert elsewhere.read_bytes() == b"untouched"
    assert (tmp_path / "plan.json").read_bytes() == b"new"


def test_every_path_lies_inside_and_is_told_from_the_others() -> None:
    root = Path("state")
    state = StateFolder(root)
    digest = sha256(b"x")
    paths = [
        state.ledger,
        state.blobs,
        state.signing_key,
        state.trust,
        state.grants,
        state.token,
        state.log,
        state.up,
        state.endpoints,
        state.package(digest),
        state.endpoint("flights"),
        state.plan("flights"),
        state.release("flights", digest),
        state.work("line-1"),
    ]

    assert len(set(paths)) == len(paths)
    assert [path for path in paths if root not in path.parents] == []
    assert ":" not in f"{state.package(digest)}{state.release('flights', digest)}"
