"""What a run told is in its journal, however its process ends; it is read as far as it holds."""

import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lockgate as lg
from lockgate.kernel.canonical import sha256
from lockgate.training.journal import Ended, Journal, forget_journal, read_journal

AT = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
ENDED = Ended(seconds=1.5, cpu_seconds=2.5, peak_memory=1000)


def told(folder: Path) -> Journal:
    journal = Journal(folder, AT)
    run = lg.Run(journal, elapsed=lambda: 0.5)
    run.log(step=1, loss=0.5)
    run.keep("plots/roc.svg", b"<svg/>")
    run.tag(team="operations")
    run.log(loss=float("nan"))
    return journal


def test_a_journal_says_what_was_told(tmp_path: Path) -> None:
    told(tmp_path).end(ENDED)
    found = read_journal(tmp_path)

    assert found is not None
    assert (found.at, found.ended) == (AT, ENDED)
    assert [(point.step, f"{point.value}", point.seconds) for point in found.run.metrics["loss"]] == [
        (1, "0.5", 0.5),
        (1, "nan", 0.5),
    ]
    assert found.run.tags == {"team": "operations"}
    assert found.run.artifacts == {"plots/roc.svg": 6}
    assert found.files["plots/roc.svg"].read_bytes() == b"<svg/>"


def test_a_run_reads_its_own_files_from_the_journal(tmp_path: Path) -> None:
    run = lg.Run(Journal(tmp_path, AT))
    run.keep("a", b"bytes")

    assert run.read("a") == b"bytes"


def test_where_nothing_began_there_is_no_journal(tmp_path: Path) -> None:
    assert read_journal(tmp_path) is None
    told(tmp_path)
    forget_journal(tmp_path)
    forget_journal(tmp_path)
    assert read_journal(tmp_path) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.integers(0, 2000))
def test_a_journal_that_is_torn_anywhere_is_read_up_to_the_tear(tmp_path: Path, length: int) -> None:
    forget_journal(tmp_path)
    told(tmp_path).end(ENDED)
    file = tmp_path / "run.jsonl"
    whole = file.read_bytes()
    lines = whole[: length % (len(whole) + 1)].count(b"\n")
    file.write_bytes(whole[: length % (len(whole) + 1)])
    found = read_journal(tmp_path)

    assert (found is None) == (lines == 0)
    if found is not None:
        assert sum(map(len, found.run.metrics.values())) == (lines >= 2) + (lines >= 5)
        assert (found.ended is not None) == (lines == 6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 2000), bit=st.integers(0, 7))
def test_no_flipped_bit_is_believed(tmp_path: Path, place: int, bit: int) -> None:
    forget_journal(tmp_path)
    told(tmp_path).end(ENDED)
    file = tmp_path / "run.jsonl"
    data = bytearray(file.read_bytes())
    place %= len(data)
    data[place] ^= 1 << bit
    file.write_bytes(data)
    found = read_journal(tmp_path)
    before = bytes(data[:place]).count(b"\n")

    assert (0 if found is None else sum(map(len, found.run.metrics.values()))) <= (before >= 2) + (before >= 5)


def line(text: bytes) -> bytes:
    return b"%08x %b\n" % (zlib.crc32(text), text)


SVG = sha256(b"<svg/>").encode()
FORGED = {
    "a digest that leads elsewhere": b'{"type":"kept","name":"x","digest":"../../../etc/passwd","size":1}',
    "a file that is not there": b'{"type":"kept","name":"x","digest":"sha256:%b","size":1}' % (b"0" * 64),
    "a length that is not the file's": b'{"type":"kept","name":"x","digest":"%b","size":7}' % SVG,
    "a file under a name that leads elsewhere": b'{"type":"kept","name":"../x","digest":"%b","size":6}' % SVG,
    "a second beginning": b'{"type":"began","at":"2026-03-01T12:00:00Z"}',
    "a number that is a text": b'{"type":"logged","values":{"loss":[0,"big"]},"seconds":1}',
    "something else": b'{"type":"model"}',
    "no JSON": b"loss=3",
}


@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED.keys())
def test_a_line_that_no_run_would_write_ends_the_reading(tmp_path: Path, text: bytes) -> None:
    told(tmp_path)
    with (tmp_path / "run.jsonl").open("ab") as file:
        file.write(line(text) + line(b'{"type":"tagged","tags":{"after":"it"}}'))
    found = read_journal(tmp_path)

    assert found is not None
    assert found.run.tags == {"team": "operations"}
    assert list(found.files) == ["plots/roc.svg"]


def test_a_file_whose_bytes_are_others_is_not_taken(tmp_path: Path) -> None:
    told(tmp_path)
    (file,) = (tmp_path / "run-files").iterdir()
    file.write_bytes(b"<svg!>")
    found = read_journal(tmp_path)

    assert found is not None
    assert found.files == {}


def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    told(tmp_path)
    (file,) = (tmp_path / "run-files").iterdir()
    (tmp_path / "secret").write_bytes(b"<svg/>")
    file.unlink()
    file.symlink_to(tmp_path / "secret")
    found = read_journal(tmp_path)

    assert found is not None
    assert found.files == {}


TELLS = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
import lockgate as lg
from lockgate.kernel.canonical import sha256
from lockgate.training.journal import Journal
run = lg.Run(Journal(Path(sys.argv[1]), datetime(2026, 3, 1, tzinfo=UTC)))
{how}
"""

ENDS: dict[str, tuple[str, Callable[[int], bool]]] = {
    "it is killed": ("run.log(loss=1); os.kill(os.getpid(), 9)", lambda code: code == -signal.SIGKILL),
    "it exits at once": ("run.log(loss=1); os._exit(3)", lambda code: code == 3),
}


@pytest.mark.parametrize(("how", "ended"), ENDS.values(), ids=ENDS.keys())
def test_what_was_told_is_there_however_its_process_ends(
    tmp_path: Path, how: str, ended: Callable[[int], bool]
) -> None:
    code = subprocess.run([sys.executable, "-c", TELLS.format(how=how), str(tmp_path)], check=False).returncode
    found = read_journal(tmp_path)

    assert ended(code)
    assert found is not None
    assert [point.value for point in found.run.metrics["loss"]] == [1.0]
    assert found.ended is None


def test_what_a_forked_process_tells_is_there_too(tmp_path: Path) -> None:
    how = "pid = os.fork()\nif not pid:\n    run.log(loss=1); os._exit(0)\nos.waitpid(pid, 0); run.log(loss=2)"
    subprocess.run([sys.executable, "-c", TELLS.format(how=how), str(tmp_path)], check=True, env={**os.environ})
    found = read_journal(tmp_path)

    assert found is not None
    assert [point.value for point in found.run.metrics["loss"]] == [1.0, 2.0]
