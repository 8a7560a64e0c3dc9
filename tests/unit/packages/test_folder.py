"""A package gives what was packed, or nothing: every byte is compared with its digest before it is parsed."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lockgate.kernel.canonical import Digest, canonical, digest_of, parse, sha256
from lockgate.kernel.errors import Corrupt, Failed, Invalid, Malformed, NotFound
from lockgate.kernel.folders import StateFolder
from lockgate.packages.folder import MANIFEST, PackageReader, pack
from lockgate.packages.runtime import CONTRACT, MODEL, REFERENCE, load_package, read_seeds
from lockgate.records.package import Package, PackageFile, Reference
from tests.making.package import NAME, START, contract, make_package, trained

FILES = (CONTRACT, MODEL, REFERENCE, "seeds/weather.msgpack", "tables/planes.msgpack")
NOTHING = sha256(b"")
DIGESTS = dict.fromkeys(("training_set", "code", "environment"), NOTHING)


@pytest.fixture
def packed(tmp_path: Path) -> tuple[Path, Digest]:
    state = StateFolder(tmp_path)
    digest = make_package(state, NAME, 1)
    return state.package(digest), digest


def pack_small(folder: Path, files: dict[str, bytes]) -> Digest:
    return pack(folder, files, project="p", format="skops/1", parameters={}, **DIGESTS)[0]


def write_manifest(folder: Path, *files: PackageFile) -> Digest:
    """Write a manifest that `pack` would not, as somebody who holds a key could."""
    package = Package(project="p", format="skops/1", files=files, parameters={}, **DIGESTS)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_bytes(canonical(package))
    return digest_of(package)


def listed(path: str, data: bytes) -> PackageFile:
    return PackageFile(path=path, digest=sha256(data), bytes=len(data))


def repacked(folder: Path, target: Path, **changed: bytes) -> Digest:
    """Pack the same package again with some files changed, under an id of its own."""
    package = parse((folder / MANIFEST).read_bytes(), Package)
    files = {file.path: (folder / file.path).read_bytes() for file in package.files}
    return pack(
        target,
        files
        | {{"model": MODEL, "reference": REFERENCE, "contract": CONTRACT}[name]: changed[name] for name in changed},
        project=package.project,
        format=package.format,
        parameters=package.parameters,
        **DIGESTS,
    )[0]


def test_what_is_packed_is_what_is_loaded(packed: tuple[Path, Digest]) -> None:
    folder, digest = packed
    loaded = load_package(folder, digest)
    _, reference = trained(1)
    x = np.array([[np.nan if value is None else value for value in row] for row in reference.x])

    assert loaded.digest == digest == sha256((folder / MANIFEST).read_bytes())
    assert loaded.contract == contract()
    assert tuple(file.path for file in loaded.package.files) == FILES
    assert loaded.tables == {"planes": {f"N{number}": (1990 + number,) for number in range(4)}}
    seeds = list(read_seeds(PackageReader(folder, digest)))
    assert [(row.source, row.key) for row in seeds] == [("weather", key) for key in ("EWR", "JFK", "LGA")]
    assert {row.values["wind_speed"] for row in seeds} == {5.0}
    assert {row.available_time for row in seeds} == {int(START.timestamp() - 1800) * 1_000_000}
    assert loaded.score(x).tolist() == list(reference.scores)
    assert loaded.reference_result == {"worst_difference": 0.0, "tolerance": 1e-9, "questions": 20}


def test_the_same_files_give_the_same_id_and_another_byte_another(tmp_path: Path) -> None:
    files = {"b": b"2", "a/c": b"1"}

    first = pack_small(tmp_path / "one", files)
    assert pack_small(tmp_path / "two", dict(reversed(files.items()))) == first
    assert pack_small(tmp_path / "three", files | {"b": b"3"}) != first


def first_bit(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "its first byte flipped": first_bit,
    "a byte in the middle flipped": lambda data: data[: len(data) // 2] + first_bit(data[len(data) // 2 :]),
    "its last byte flipped": lambda data: data[:-1] + first_bit(data[-1:]),
    "its last byte missing": lambda data: data[:-1],
    "one byte more": lambda data: data + b"\n",
    "nothing in it": lambda _: b"",
}


@pytest.mark.parametrize("what", DAMAGE)
@pytest.mark.parametrize("path", [MANIFEST, *FILES])
def test_a_file_that_is_not_what_was_packed_is_refused_before_it_is_parsed(
    packed: tuple[Path, Digest], path: str, what: str
) -> None:
    folder, digest = packed
    (folder / path).write_bytes(DAMAGE[what]((folder / path).read_bytes()))

    # Parsing would say that it is malformed, or raise what msgpack or skops raise.
    with pytest.raises(Corrupt) as refused:
        load_package(folder, digest)
    assert (refused.value.expected == digest) is (path == MANIFEST)
    with pytest.raises(Corrupt):
        PackageReader(folder, digest).verify()


@pytest.mark.parametrize("path", FILES)
def test_every_byte_of_a_file_counts(tmp_path: Path, path: str) -> None:
    digest = pack_small(tmp_path, {path: b"lockgate"})
    for place in range(8):
        data = b"lockgate"
        (tmp_path / path).write_bytes(data[:place] + first_bit(data[place:]))
        with pytest.raises(Corrupt):
            PackageReader(tmp_path, digest).read(path)

    (tmp_path / path).write_bytes(b"lockgate")
    assert PackageReader(tmp_path, digest).read(path) == b"lockgate"


@pytest.mark.parametrize("path", [MANIFEST, *FILES])
def test_a_file_that_is_gone_is_not_found(packed: tuple[Path, Digest], path: str) -> None:
    folder, digest = packed
    (folder / path).unlink()

    with pytest.raises(NotFound, match=path):
        load_package(folder, digest)


@pytest.mark.parametrize("path", [MANIFEST, *FILES])
def test_a_link_in_a_files_place_is_not_followed(packed: tuple[Path, Digest], path: str) -> None:
    folder, digest = packed
    # It leads to the very bytes that were packed: it is the link that is refused.
    (folder / path).rename(folder / "elsewhere")
    (folder / path).symlink_to(folder / "elsewhere")

    with pytest.raises(NotFound, match=path):
        load_package(folder, digest)


def test_a_folder_in_a_files_place_is_refused_in_words(packed: tuple[Path, Digest]) -> None:
    folder, digest = packed
    (folder / MODEL).unlink()
    (folder / MODEL).mkdir()

    with pytest.raises((NotFound, Corrupt)):
        load_package(folder, digest)


def test_a_file_that_the_manifest_does_not_name_is_ignored(packed: tuple[Path, Digest]) -> None:
    folder, digest = packed
    before = load_package(folder, digest)
    (folder / "tables" / "extra.msgpack").write_bytes(b"\xc1 no msgpack")
    (folder / "model.pkl").write_bytes(b"no model")
    os.mkfifo(folder / "pipe")
    after = load_package(folder, digest)

    assert after.tables == before.tables
    reader = PackageReader(folder, digest)
    assert [row.source for row in read_seeds(reader)] == ["weather"] * 3
    with pytest.raises(NotFound, match=r"has no file model\.pkl"):
        PackageReader(folder, digest).read("model.pkl")


BAD_PATHS = {
    "a step up": "../model.bin",
    "a step up inside": "tables/../../model.bin",
    "a step that stays": "./model.bin",
    "an absolute path": "/etc/passwd",
    "a folder": "tables/",
    "an empty name inside": "tables//planes",
    "no name": "",
    "a hidden file": ".model",
    "a name that ends with a dot": "model.",
    "a backslash": "tables\\planes",
    "a drive": "c:model.bin",
    "a space": "model bin",
    "a line end": "model.bin\n",
    "a NUL": "model\x00.bin",
    "a letter that is not ASCII": "mod\N{LATIN SMALL LETTER E WITH ACUTE}le",
    "the manifest itself": MANIFEST,
}


@pytest.mark.parametrize("what", BAD_PATHS)
def test_a_path_that_is_no_plain_name_is_not_packed(tmp_path: Path, what: str) -> None:
    with pytest.raises(Malformed, match="can't have a file named"):
        pack_small(tmp_path / "one", {BAD_PATHS[what]: b"x"})

    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("what", BAD_PATHS)
def test_a_path_that_is_no_plain_name_is_refused_when_read(tmp_path: Path, what: str) -> None:
    (tmp_path / "model.bin").write_bytes(b"x")
    digest = write_manifest(tmp_path / "one", listed("good", b"x"), listed(BAD_PATHS[what], b"x"))

    with pytest.raises(Malformed, match="can't have a file named"):
        PackageReader(tmp_path / "one", digest)


PLAIN = ["a", "model.bin", "tables/planes.msgpack", "a-b_c/d/e.f.g", "0"]


@pytest.mark.parametrize("path", PLAIN)
def test_a_plain_name_is_a_path(tmp_path: Path, path: str) -> None:
    digest = pack_small(tmp_path, {path: b"x"})

    assert PackageReader(tmp_path, digest).read(path) == b"x"


def test_a_manifest_beyond_a_mebibyte_is_refused_though_its_digest_is_right(tmp_path: Path) -> None:
    fits = tuple(listed(f"file-{number}", b"x") for number in range(8000))
    small = write_manifest(tmp_path / "small", *fits)
    large = write_manifest(tmp_path / "large", *fits, *(listed(f"more-{number}", b"x") for number in range(2000)))
    assert (tmp_path / "small" / MANIFEST).stat().st_size < 1 << 20 < (tmp_path / "large" / MANIFEST).stat().st_size

    assert len(PackageReader(tmp_path / "small", small).package.files) == 8000
    with pytest.raises(Corrupt):
        PackageReader(tmp_path / "large", large)


def test_of_a_file_that_has_grown_no_more_than_its_size_and_a_byte_is_read(tmp_path: Path) -> None:
    digest = pack_small(tmp_path, {"a": b"12345678"})
    with (tmp_path / "a").open("r+b") as file:
        file.truncate(1 << 40)  # sparse; nobody has a tebibyte of memory

    with pytest.raises(Corrupt):
        PackageReader(tmp_path, digest).read("a")


def test_a_manifest_that_is_no_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(b'{"type":"package/2"}')

    with pytest.raises(Malformed):
        PackageReader(tmp_path, sha256(b'{"type":"package/2"}'))


def test_a_package_that_answers_otherwise_than_when_it_was_fitted_does_not_serve(
    packed: tuple[Path, Digest], tmp_path: Path
) -> None:
    folder, _ = packed
    _, reference = trained(1)
    wrong = Reference(x=reference.x, scores=(*reference.scores[:-1], reference.scores[-1] + 1e-6), tolerance=1e-9)
    digest = repacked(folder, tmp_path / "wrong", reference=canonical(wrong))

    with pytest.raises(Failed, match="does not give its reference answers") as refused:
        load_package(tmp_path / "wrong", digest)
    assert float(refused.value.found) == pytest.approx(1e-6)


def test_a_difference_within_the_tolerance_is_the_same_answer_and_is_told(
    packed: tuple[Path, Digest], tmp_path: Path
) -> None:
    folder, _ = packed
    _, reference = trained(1)
    near = Reference(x=reference.x, scores=(*reference.scores[:-1], reference.scores[-1] + 1e-6), tolerance=1e-5)
    digest = repacked(folder, tmp_path / "near", reference=canonical(near))

    assert load_package(tmp_path / "near", digest).reference_result["worst_difference"] == pytest.approx(1e-6)


def test_the_model_of_another_package_does_not_serve(packed: tuple[Path, Digest], tmp_path: Path) -> None:
    folder, _ = packed
    model, _ = trained(2)
    digest = repacked(folder, tmp_path / "other", model=model)

    with pytest.raises(Failed, match="does not give its reference answers"):
        load_package(tmp_path / "other", digest)


def test_reference_questions_of_another_width_do_not_pass(packed: tuple[Path, Digest], tmp_path: Path) -> None:
    folder, _ = packed
    digest = repacked(
        folder, tmp_path / "o", reference=canonical(Reference(x=((1.0, 2.0),), scores=(0.5,), tolerance=1.0))
    )

    with pytest.raises(Failed, match="The model failed"):
        load_package(tmp_path / "o", digest)


def test_a_format_that_nobody_knows_is_refused_by_name(packed: tuple[Path, Digest], tmp_path: Path) -> None:
    folder, _ = packed
    files = {path: (folder / path).read_bytes() for path in FILES}
    digest, _ = pack(tmp_path / "o", files, project="p", format="pickle/5", parameters={}, **DIGESTS)

    with pytest.raises(Invalid, match="pickle/5"):
        load_package(tmp_path / "o", digest)
