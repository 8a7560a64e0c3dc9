"""Hostile packages, through every entrance: nothing of them is run, and nothing is written.

Of what nobody signed nothing is parsed. What was signed, and is hostile inside, is found whole, and is refused when it
is to be loaded, before any of it ran.
"""

import os
import pickle
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate.engine.bringing.asked import ImportAsked
from lockgate.engine.bringing.job import bring_in
from lockgate.kernel.canonical import digest_of, sha256
from lockgate.kernel.errors import Broken, Corrupt, LockgateError, Malformed, NotFound, Refused, Untrusted
from lockgate.kernel.folders import replace_file
from lockgate.packages.exported import verify
from lockgate.packages.folder import ENVELOPE, ENVIRONMENT, MANIFEST, PackageReader
from lockgate.packages.runtime import load_package, read_seeds
from lockgate.packages.signing import Trust
from lockgate.records.release import Release
from lockgate.serving.loading import load_version
from lockgate.training.example import Roles
from tests.making.exported import PARTS, Parcel, make_parcel
from tests.making.hostile import (
    HARMLESS,
    MODEL_FILES,
    NO_PACKAGE,
    POISONED,
    POISONED_SEEDS,
    SWAPPED,
    SWAPPED_ENVIRONMENT,
    UNSIGNED,
    Payload,
    Spoil,
)
from tests.making.package import trained
from tests.making.watching import Watch

FLIPS = 40


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Parcel:
    parcel = make_parcel(tmp_path_factory.mktemp("hostile"))
    load_package(parcel.folder, parcel.package)  # what loading imports writes nothing later on
    return parcel


@pytest.fixture
def parcel(template: Parcel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parcel:
    """Give a copy to spoil; the working folder, the home and the place of temporary files are watched too."""
    shutil.copytree(template.folder, tmp_path / "parcel")
    for name in ("HOME", "TMPDIR"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Parcel(tmp_path / "parcel", template.state, template.key, template.package)


class Entrances:
    """The ways in, each with what they are given from places that are trusted: a key, an id, a plan."""

    def __init__(self, parcel: Parcel, release: Release, canary: Path) -> None:
        self._parcel, self._release, self._canary = parcel, release, canary

    def verify(self) -> LockgateError | None:
        """`lockgate package verify`."""
        return self._tried(lambda: verify(self._parcel.folder, Trust.of([self._parcel.key])))

    def load(self) -> BaseException | None:
        """Load a package whose id is trusted; libraries raise what they like here."""
        return self._watched(lambda: load_package(self._parcel.folder, self._release.package))

    def seeds(self) -> LockgateError | None:
        """Read the rows that a store begins with."""
        return self._tried(lambda: list(read_seeds(PackageReader(self._parcel.folder, self._release.package))))

    def worker(self) -> LockgateError | None:
        """Start a worker's version of the release, as its plan names it."""
        state, digest = type(self._parcel.state)(self._parcel.folder.parent / "state"), digest_of(self._release)
        shutil.copytree(self._parcel.state.trust, state.trust)
        folder = state.package(self._release.package)
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._parcel.folder.rename(folder)
        place = state.release(self._release.endpoint, digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(folder / ENVELOPE):
            (folder / ENVELOPE).rename(place)
        return self._tried(lambda: load_version(state, self._release.endpoint, digest))

    def _tried(self, way: Callable[[], object]) -> LockgateError | None:
        error = self._watched(way)
        assert error is None or isinstance(error, LockgateError), repr(error)
        return error

    def _watched(self, way: Callable[[], object]) -> BaseException | None:
        raised: BaseException | None = None
        with Watch(self._parcel.folder.parent) as seen:
            try:
                way()
            except Exception as error:  # noqa: BLE001 - what is raised is looked at
                raised = error
        assert seen.harm() == []
        assert not self._canary.exists()
        return raised


def spoiled(parcel: Parcel, spoil: Spoil) -> Entrances:
    """Spoil a parcel; whoever trusts it trusts what its key signed last, or had signed before."""
    canary = parcel.folder.parent / "ran"
    before = verify(parcel.folder, Trust.of([parcel.key])).release
    spoil(parcel, canary)
    try:
        release = Trust.of([parcel.key]).verify((parcel.folder / ENVELOPE).read_bytes()) if _plain(parcel) else before
    except LockgateError:
        release = before
    return Entrances(parcel, release, canary)


def _plain(parcel: Parcel) -> bool:
    place = parcel.folder / ENVELOPE
    return place.is_file() and not place.is_symlink()


def test_the_canary_sings_and_the_watch_hears_it(tmp_path: Path) -> None:
    data = pickle.dumps(Payload(tmp_path / "ran"))
    with Watch(tmp_path) as seen:
        pickle.loads(data)  # noqa: S301 - shows that it works

    assert (tmp_path / "ran").exists()
    assert any(one.startswith("pickle.find_class") for one in seen.harm())
    assert f"changed: {tmp_path / 'ran'}" in seen.harm()


@pytest.mark.parametrize("what", UNSIGNED)
def test_what_nobody_signed_is_refused_before_it_is_parsed(parcel: Parcel, what: str) -> None:
    tried = spoiled(parcel, UNSIGNED[what])

    assert isinstance(tried.verify(), Untrusted | NotFound | Corrupt)
    assert isinstance(tried.worker(), Untrusted | NotFound)


@pytest.mark.parametrize("what", SWAPPED)
def test_what_is_not_what_was_signed_is_refused_before_it_is_parsed(parcel: Parcel, what: str) -> None:
    tried = spoiled(parcel, SWAPPED[what])

    assert isinstance(tried.verify(), Corrupt | NotFound)
    assert isinstance(tried.load(), Corrupt | NotFound)
    assert isinstance(tried.worker(), Corrupt | NotFound)


@pytest.mark.parametrize("what", SWAPPED_ENVIRONMENT)
def test_an_environment_that_is_not_what_was_signed_is_refused(parcel: Parcel, what: str) -> None:
    assert isinstance(spoiled(parcel, SWAPPED_ENVIRONMENT[what]).verify(), Corrupt | NotFound)


@pytest.mark.parametrize("what", NO_PACKAGE)
def test_what_was_signed_and_is_no_package_is_refused(parcel: Parcel, what: str) -> None:
    tried = spoiled(parcel, NO_PACKAGE[what])

    assert isinstance(tried.verify(), Corrupt | Malformed)
    assert isinstance(tried.load(), Corrupt | Malformed)
    assert isinstance(tried.worker(), Corrupt | Malformed)


@pytest.mark.parametrize("what", POISONED)
def test_what_was_signed_and_is_hostile_inside_is_not_loaded_and_nothing_of_it_runs(parcel: Parcel, what: str) -> None:
    tried = spoiled(parcel, POISONED[what])

    assert tried.verify() is None
    tried.load()  # libraries raise what they like
    assert isinstance(tried.worker(), Refused | Broken)


@pytest.mark.parametrize("what", POISONED_SEEDS)
def test_seeds_that_are_no_rows_reach_no_store(parcel: Parcel, what: str) -> None:
    tried = spoiled(parcel, POISONED_SEEDS[what])

    assert tried.verify() is None
    assert isinstance(tried.seeds(), Malformed)


@pytest.mark.parametrize("what", HARMLESS)
def test_what_lies_behind_or_beside_a_model_is_not_looked_at(parcel: Parcel, what: str) -> None:
    tried = spoiled(parcel, HARMLESS[what])

    assert tried.verify() is None
    assert tried.load() is None
    assert tried.worker() is None


@pytest.mark.parametrize("path", PARTS)
def test_one_flipped_bit_in_any_file_is_found(parcel: Parcel, path: str) -> None:
    whole, trust = (parcel.folder / path).read_bytes(), Trust.of([parcel.key])
    bits = random.Random(path).sample(range(len(whole) * 8), min(FLIPS, len(whole) * 8))
    for bit in [*bits, 0, len(whole) * 8 - 1, *range((len(whole) - 8) * 8, len(whole) * 8, 3)]:
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        (parcel.folder / path).write_bytes(flipped)
        with pytest.raises((Corrupt, Untrusted)):
            verify(parcel.folder, trust)
        if path not in {ENVELOPE, ENVIRONMENT}:
            with pytest.raises(Corrupt):
                load_package(parcel.folder, parcel.package)
    replace_file(parcel.folder / path, whole)
    assert (
        verify(parcel.folder, trust).release.package
        == parcel.package
        == sha256((parcel.folder / MANIFEST).read_bytes())
    )


def test_no_bit_of_what_was_signed_can_be_flipped(parcel: Parcel) -> None:
    whole, trust = (parcel.folder / ENVELOPE).read_bytes(), Trust.of([parcel.key])
    for bit in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Untrusted):
            trust.verify(bytes(flipped))


@pytest.mark.parametrize("name", ["model.skops", "model.bin", "model.txt"])
@pytest.mark.parametrize("what", MODEL_FILES)
def test_a_hostile_file_is_not_imported_and_nothing_of_it_runs(tmp_path: Path, what: str, name: str) -> None:
    canary, scratch = tmp_path / "ran", tmp_path / "scratch"
    (scratch / "model").mkdir(parents=True)
    (scratch / "example").mkdir()
    (scratch / "model" / name).write_bytes(MODEL_FILES[what](trained(1)[0], canary))
    (scratch / "example" / "rows.csv").write_text("a,b\n1,2\n")
    asked = ImportAsked(path=str(tmp_path / name), example="/rows.csv", name="m", roles=Roles(), task="binary")
    with Watch(tmp_path) as seen, pytest.raises((LockgateError, MemoryError)):
        bring_in(scratch, scratch, {"asked": asked.plain()}, None)

    assert seen.harm() == []
    assert not canary.exists()


def test_a_models_library_writes_nothing_and_reports_to_nobody(tmp_path: Path) -> None:
    script = "from lockgate.packages.formats.onnx import runtime; runtime()"
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    subprocess.run([sys.executable, "-c", script], env={**environment, "HOME": str(home)}, check=True, timeout=60)

    assert list(home.iterdir()) == []
