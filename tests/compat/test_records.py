"""Records that earlier releases wrote are still read, mean the same, and keep their digests."""

import hashlib
import importlib
import pkgutil
import runpy
from pathlib import Path

import pytest

import lockgate.records
from lockgate.kernel.canonical import Record, canonical, digest_of, parse
from lockgate.project.blueprint import Blueprint

HERE = Path(__file__).parent
RELEASES = sorted(path.parent.name for path in HERE.glob("*/records"))


def kinds() -> dict[str, type[Record]]:
    """Every kind of record that this release keeps, by its name and version."""
    modules = [
        importlib.import_module(f"lockgate.records.{one.name}")
        for one in pkgutil.iter_modules(lockgate.records.__path__)
    ]
    found: list[type[Record]] = [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Record) and value is not Record
    ]
    found.append(Blueprint)
    return {str(kind.__struct_config__.tag): kind for kind in found}


def written(release: str) -> dict[str, str]:
    lines = (HERE / release / "records" / "digests.txt").read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split(" ") for line in lines)}


def meant(release: str) -> dict[str, Record]:
    records: tuple[Record, ...] = runpy.run_path(str(HERE / release / "write_records.py"))["RECORDS"]
    return {str(type(record).__struct_config__.tag).partition("/")[0]: record for record in records}


DOCUMENTS = [(release, name) for release in RELEASES for name in written(release)]


@pytest.mark.parametrize(("release", "name"), DOCUMENTS)
def test_a_record_of_an_earlier_release_is_read_and_keeps_its_digest(release: str, name: str) -> None:
    data = (HERE / release / "records" / f"{name}.json").read_bytes()
    expected = meant(release)[name]

    assert f"sha256:{hashlib.sha256(data).hexdigest()}" == written(release)[name]
    assert parse(data, type(expected), digest=written(release)[name]) == expected


@pytest.mark.parametrize("name", written("0.1"))
def test_this_release_writes_the_records_of_0_1_as_0_1_did(name: str) -> None:
    record = meant("0.1")[name]

    assert canonical(record) == (HERE / "0.1" / "records" / f"{name}.json").read_bytes()
    assert digest_of(record) == written("0.1")[name]


def test_every_kind_of_record_has_a_document_of_its_version() -> None:
    """A new kind, or a new version of one, needs a document here before it is released."""
    kept = {str(type(record).__struct_config__.tag) for release in RELEASES for record in meant(release).values()}

    assert kept == set(kinds())


def test_no_two_kinds_of_record_share_a_name() -> None:
    names = [tag.partition("/")[0] for tag in kinds()]

    assert len(set(names)) == len(names)
    assert all(tag.partition("/")[2].isdecimal() for tag in kinds())


@pytest.mark.parametrize("release", RELEASES)
def test_every_document_has_its_digest(release: str) -> None:
    files = {path.stem for path in (HERE / release / "records").glob("*.json")}

    assert files == set(written(release)) == set(meant(release))
