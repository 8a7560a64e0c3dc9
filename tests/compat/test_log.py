"""Segments that earlier releases wrote are still read, byte for byte as they left them."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from lockgate.predictionlog.segments import RECORDS, Kind, frames, read_header, read_records

HERE = Path(__file__).parent
RELEASES = sorted(path.parent.name for path in HERE.glob("*/prediction.seg"))


def written_by(release: str) -> dict[str, Any]:
    return runpy.run_path(str(HERE / release / "write_log.py"))


def test_there_are_releases_to_read() -> None:
    assert "0.1" in RELEASES


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("kind", list(Kind))
def test_a_segment_of_an_earlier_release_is_read(release: str, kind: Kind) -> None:
    path = HERE / release / f"{kind.value}.seg"
    header = read_header(path)

    assert header is not None
    assert (header.format, header.kind, header.endpoint, header.worker) == (1, kind, "flight-delay", 3)
    assert header.lockgate.startswith(f"{release}.")
    found = [record for _, record in read_records(path, RECORDS[kind])]  # type: ignore[type-var]  # any of the three
    assert found == written_by(release)[f"{kind.name}S"]


@pytest.mark.parametrize("kind", list(Kind))
def test_this_release_writes_the_records_of_0_1_as_0_1_did(tmp_path: Path, kind: Kind) -> None:
    written_by("0.1")["write"](tmp_path)

    now, then = (
        [bytes(payload) for _, payload in frames(folder / f"{kind.value}.seg", kind)]
        for folder in (tmp_path, HERE / "0.1")
    )
    assert now == then
