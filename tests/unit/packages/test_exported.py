"""An exported package proves itself to whoever has the signer's key: offline, and without any part being run."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lockgate.kernel.canonical import digest_of, sha256
from lockgate.kernel.errors import Conflict, Corrupt, LockgateError, NotFound, Refused, Untrusted
from lockgate.kernel.folders import StateFolder
from lockgate.packages.exported import export, reader_of, verify
from lockgate.packages.folder import ENVELOPE, ENVIRONMENT, MANIFEST, PackageReader
from lockgate.packages.runtime import load_package
from lockgate.packages.signing import Trust, make_key
from tests.making.exported import PARTS, Parcel, make_parcel
from tests.making.package import ENVIRONMENT as BUILT_IN


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Parcel:
    return make_parcel(tmp_path_factory.mktemp("parcel"))


@pytest.fixture
def parcel(template: Parcel, tmp_path: Path) -> Parcel:
    """Give a copy that a test may spoil."""
    shutil.copytree(template.folder, tmp_path / "parcel")
    return Parcel(tmp_path / "parcel", template.state, template.key, template.package)


def trust(parcel: Parcel) -> Trust:
    return Trust.of([parcel.key])


def test_what_was_exported_holds_and_says_who_signed_what(parcel: Parcel) -> None:
    found = verify(parcel.folder, trust(parcel))

    assert sorted(one.relative_to(parcel.folder).as_posix() for one in parcel.folder.rglob("*.*")) == sorted(PARTS)
    assert found.release.package == parcel.package == digest_of(found.package)
    assert (found.release.endpoint, found.release.by, found.release_id) == (
        "flight-delay",
        "tests",
        digest_of(found.release),
    )
    assert parcel.key.name == f"{found.signed_by}.pub"
    assert found.environment == BUILT_IN
    assert found.beside == ()


def test_an_exported_package_is_a_package(parcel: Parcel) -> None:
    assert reader_of(parcel.folder).digest == parcel.package
    assert load_package(parcel.folder, parcel.package).reference_result["worst_difference"] == 0.0


def test_the_same_release_exported_twice_is_the_same_bytes(parcel: Parcel, tmp_path: Path) -> None:
    reader = PackageReader(parcel.folder, parcel.package)
    envelope, environment = ((parcel.folder / name).read_bytes() for name in (ENVELOPE, ENVIRONMENT))
    written = export(reader, envelope, environment, tmp_path / "again")

    assert set(written) == set(PARTS)
    for path in PARTS:
        assert (tmp_path / "again" / path).read_bytes() == (parcel.folder / path).read_bytes()


def test_nothing_is_written_into_a_folder_that_holds_something(parcel: Parcel, tmp_path: Path) -> None:
    reader = PackageReader(parcel.folder, parcel.package)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")

    for taken in (tmp_path / "full", tmp_path / "full" / "mine.txt"):
        with pytest.raises(Conflict, match="not empty"):
            export(reader, b"", b"", taken)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_a_package_that_is_not_whole_is_not_exported(parcel: Parcel, tmp_path: Path) -> None:
    (parcel.folder / "model.bin").write_bytes(b"another model")

    with pytest.raises(Corrupt):
        export(PackageReader(parcel.folder, parcel.package), b"", b"", tmp_path / "out")
    assert not (tmp_path / "out" / MANIFEST).exists()


def test_what_a_stranger_signed_is_not_believed(parcel: Parcel, tmp_path: Path) -> None:
    make_key(tmp_path / "strange.pem", tmp_path / "strangers")

    with pytest.raises(Untrusted, match="Nobody who is trusted here signed"):
        verify(parcel.folder, Trust.read(tmp_path / "strangers"))
    with pytest.raises(Untrusted):
        verify(parcel.folder, Trust.of([]))
    assert verify(parcel.folder, Trust.of([parcel.key, *(tmp_path / "strangers").iterdir()])).release_id


def test_a_missing_part_is_named(parcel: Parcel) -> None:
    for path in PARTS:
        kept = (parcel.folder / path).read_bytes()
        (parcel.folder / path).unlink()
        with pytest.raises(NotFound, match=path):
            verify(parcel.folder, trust(parcel))
        (parcel.folder / path).write_bytes(kept)
    assert verify(parcel.folder, trust(parcel)).release.package == parcel.package


def test_the_environment_is_the_one_that_the_manifest_names(parcel: Parcel) -> None:
    told = json.loads((parcel.folder / ENVIRONMENT).read_bytes())
    told["packages"]["scikit-learn"] = "1.7.0"
    (parcel.folder / ENVIRONMENT).write_text(json.dumps(told))

    with pytest.raises(Corrupt) as refused:
        verify(parcel.folder, trust(parcel))
    assert refused.value.expected == digest_of(BUILT_IN)


def test_what_lies_beside_is_named_and_not_followed(parcel: Parcel, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_text("not looked at")
    (parcel.folder / "model.pkl").write_bytes(b"\x80\x05.")
    (parcel.folder / "tables" / "more.msgpack").write_bytes(b"")
    (parcel.folder / "linked").symlink_to(tmp_path / "elsewhere")

    assert set(verify(parcel.folder, trust(parcel)).beside) == {"model.pkl", "tables/more.msgpack", "linked"}


@pytest.mark.parametrize("key", ["nothing there", "no key", "a private key"])
def test_a_key_that_is_none_is_refused_in_words(parcel: Parcel, tmp_path: Path, key: str) -> None:
    (tmp_path / "no key").write_text("ssh-ed25519 AAAA")
    shutil.copy(parcel.state.signing_key, tmp_path / "a private key")

    with pytest.raises(Refused, match="public key"):
        Trust.of([tmp_path / key])


def test_a_folder_that_is_no_exported_package_says_so(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NotFound, match="is no exported package"):
            verify(folder, Trust.of([]))
        with pytest.raises(LockgateError, match="is no exported package"):
            reader_of(folder)


ALONE = """
import socket, sys
def offline(*_, **__):
    raise OSError("offline")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = offline
from lockgate.cli.main import main
try:
    main()
finally:
    heavy = {"numpy", "polars", "sklearn", "skops", "sqlalchemy", "lightgbm", "fastapi"} & set(sys.modules)
    sys.stderr.write(f"heavy: {sorted(heavy)}\\n")
"""


def alone(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as somebody who has nothing of ours but the program."""
    return subprocess.run(
        [sys.executable, "-c", ALONE, *command],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_command_needs_no_installation_no_network_and_no_library_of_models(parcel: Parcel, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    done = alone(home, "package", "verify", str(parcel.folder), "--key", str(parcel.key))

    assert done.returncode == 0, done.stderr
    assert "heavy: []" in done.stderr
    assert list(home.iterdir()) == [], "nothing was made there"
    said = " ".join(done.stdout.split())
    assert "flight-delay v1 holds" in said
    assert "by tests, 2013-03-01 08:00:00 UTC" in said
    for path in PARTS[3:]:
        assert f"{path} " in said
        assert sha256((parcel.folder / path).read_bytes()) in said


def test_the_command_tells_refused_from_changed_by_its_exit_code(parcel: Parcel, tmp_path: Path) -> None:
    make_key(tmp_path / "strange.pem", tmp_path / "strangers")
    (strange,) = (tmp_path / "strangers").iterdir()
    refused = alone(tmp_path, "package", "verify", str(parcel.folder), "--key", str(strange))
    (parcel.folder / "tables" / "planes.msgpack").write_bytes(b"\x90")
    changed = alone(tmp_path, "package", "verify", str(parcel.folder), "--key", str(parcel.key))

    assert (refused.returncode, changed.returncode) == (1, 2)
    assert "Nobody who is trusted here signed" in refused.stderr
    assert "--key PUBLIC_KEY" in refused.stderr
    assert "state folder" not in refused.stderr
    assert "tables/planes.msgpack" in changed.stderr
    assert refused.stdout == changed.stdout == ""


def test_the_key_of_the_state_folder_is_the_public_one(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    make_key(state.signing_key, state.trust)
    (path,) = state.trust.iterdir()

    assert state.public_key(path.stem) == path
