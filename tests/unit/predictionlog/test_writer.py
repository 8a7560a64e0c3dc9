"""What was acknowledged is in the log; what was refused is not."""

import errno
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from lockgate.kernel.errors import Unavailable
from lockgate.predictionlog.reading import predictions as read
from lockgate.predictionlog.segments import Kind, read_header
from lockgate.predictionlog.writer import Durability, Rotation
from tests.unit.predictionlog.making import Hands, outcome, prediction, predictions, segments_of, writer

CHILD = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from lockgate.kernel.ids import IdMaker
from lockgate.predictionlog.segments import Kind
from lockgate.predictionlog.writer import Rotation, SegmentWriter
from tests.unit.predictionlog.making import prediction

make = IdMaker(5)
folder, clock, rotation = Path(sys.argv[1]), lambda: datetime.now(UTC), Rotation(size=200_000)
log = SegmentWriter(folder, "e", Kind.PREDICTION, 5, clock, rotation=rotation)
while True:
    batch = make.make(7, int(datetime.now(UTC).timestamp() * 1000))
    log.append([prediction(id_) for id_ in batch])
    os.write(1, "".join(id_ + "\\n" for id_ in batch).encode())
"""

# RLIMIT_FSIZE makes the kernel write a part of the batch and then refuse: a real short write.
FULL = """
import resource, sys
from pathlib import Path
from lockgate.kernel.errors import Unavailable
from tests.unit.predictionlog.making import predictions, prediction, writer

log = writer(Path(sys.argv[1]))
batch = predictions(40)
log.append(batch[:10])
size = next(Path(sys.argv[1]).iterdir()).stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    log.append(batch[10:])
except Unavailable as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.append([prediction("after")])
"""


def ids_in(folder: Path) -> list[str]:
    return [record.id for record in read(folder)]


def test_records_are_in_the_log_when_append_returns(tmp_path: Path) -> None:
    log, records = writer(tmp_path), predictions(30)

    for end in range(0, 30, 3):
        log.append(records[end : end + 3])
        assert list(read(tmp_path)) == records[: end + 3]


def test_a_batch_is_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    write = os.write

    def noted(fd: int, data: bytes) -> int:
        sizes.append(len(data))
        return write(fd, data)

    monkeypatch.setattr(os, "write", noted)
    log = writer(tmp_path)
    log.append(predictions(16))
    log.append(predictions(16))
    log.append([])

    assert len(sizes) == 2
    assert sum(sizes) == segments_of(tmp_path)[0].stat().st_size


def test_a_writer_that_wrote_nothing_leaves_no_file(tmp_path: Path) -> None:
    log = writer(tmp_path / "flight-delay")
    log.append([])
    log.close()

    assert list((tmp_path / "flight-delay").iterdir()) == []


def test_a_segment_is_named_after_kind_moment_and_worker(tmp_path: Path) -> None:
    writer(tmp_path, Kind.OUTCOME, worker=300).append([outcome(id_="a")])

    assert [path.name for path in tmp_path.iterdir()] == [f"outcome-{1_362_124_800_000:012x}-012c.seg"]


def test_a_segment_ends_at_its_size(tmp_path: Path) -> None:
    log = writer(tmp_path, rotation=Rotation(size=2_000))
    for record in predictions(40):
        log.append([record])

    sizes = [path.stat().st_size for path in segments_of(tmp_path)]
    assert len(sizes) > 3
    assert min(sizes[:-1]) >= 2_000 > max(sizes) - 400
    assert [record.key for record in read(tmp_path)] == list(range(40))


def test_a_segment_ends_at_its_age(tmp_path: Path) -> None:
    clock = Hands()
    log = writer(tmp_path, clock=clock)
    for record in predictions(4):
        log.append([record])
        clock.on(timedelta(seconds=30))

    assert len(segments_of(tmp_path)) == 2
    assert [record.key for record in read(tmp_path)] == [0, 1, 2, 3]


def test_segments_ascend_though_the_clock_goes_back(tmp_path: Path) -> None:
    clock = Hands()
    log = writer(tmp_path, clock=clock)
    for record in predictions(3):
        log.append([record])
        log.rotate()
        clock.on(timedelta(hours=-1))
    again = writer(tmp_path, clock=clock)
    again.append([prediction("again")])

    assert [record.key for record in read(tmp_path)] == [0, 1, 2, "UA-1"]


def test_a_new_writer_starts_a_new_segment_and_leaves_the_torn_one_alone(tmp_path: Path) -> None:
    first, second = predictions(2)
    writer(tmp_path).append([first])
    torn = segments_of(tmp_path)[0]
    torn.write_bytes(torn.read_bytes() + b"\x40\0\0")
    left = torn.read_bytes()
    writer(tmp_path).append([second])

    assert torn.read_bytes() == left
    assert list(read(tmp_path)) == [first, second]


def test_two_writers_with_one_number_never_share_a_segment(tmp_path: Path) -> None:
    logs = [writer(tmp_path), writer(tmp_path)]
    for log, record in zip(logs * 3, predictions(6), strict=True):
        log.append([record])

    assert len(segments_of(tmp_path)) == 2
    assert sorted(record.key for record in read(tmp_path) if isinstance(record.key, int)) == list(range(6))


def test_a_record_of_another_kind_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="a log of outcomes takes no Prediction"):
        writer(tmp_path, Kind.OUTCOME).append(predictions(1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("worker", [-1, 1 << 14])
def test_a_worker_that_ids_can_not_name_is_refused(tmp_path: Path, worker: int) -> None:
    with pytest.raises(ValueError, match="numbered 0 to 16383"):
        writer(tmp_path, worker=worker)


def test_group_durability_waits_for_the_disk_once_for_each_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[str] = []
    monkeypatch.setattr(os, "fdatasync", lambda _: waited.append("file"))
    monkeypatch.setattr(os, "fsync", lambda _: waited.append("folder"))
    log = writer(tmp_path, durability=Durability.GROUP)
    log.append(predictions(16))
    log.append(predictions(16))

    assert waited == ["file", "folder", "file"]


def test_a_failed_fdatasync_is_not_tried_again_on_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, (first, lost, after) = writer(tmp_path, durability=Durability.GROUP), predictions(3)
    log.append([first])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", _fail)
        with pytest.raises(Unavailable, match="what can't be logged is refused"):
            log.append([lost])
    log.append([after])

    assert list(read(tmp_path)) == [first, after]
    assert len(segments_of(tmp_path)) == 2


def test_a_disk_that_refuses_even_the_cut_leaves_a_log_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, (first, lost, after) = writer(tmp_path), predictions(3)
    log.append([first])
    with monkeypatch.context() as patch:
        write = os.write
        parts = iter([100])
        patch.setattr(os, "write", lambda fd, data: write(fd, data[: next(parts, 0)]) or _fail())
        patch.setattr(os, "ftruncate", _fail)
        with pytest.raises(Unavailable):
            log.append([lost])
    log.append([after])

    assert list(read(tmp_path)) == [first, after]


def test_an_interrupt_in_the_middle_of_a_batch_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, (first, lost, after) = writer(tmp_path), predictions(3)
    log.append([first])
    with monkeypatch.context() as patch:
        write = os.write
        halves = iter([100])
        patch.setattr(os, "write", lambda fd, data: write(fd, data[: next(halves)]))
        # The second write finds no more halves: StopIteration stands for any interrupt.
        with pytest.raises(StopIteration):
            log.append([lost])
    log.append([after])

    assert list(read(tmp_path)) == [first, after]


def test_a_first_batch_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = writer(tmp_path)
    monkeypatch.setattr(os, "write", _fail)
    for _ in range(3):
        with pytest.raises(Unavailable):
            log.append(predictions(1))

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_is_unavailable_until_it_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    log = writer(folder)
    folder.rmdir()
    with pytest.raises(Unavailable, match="No such file"):
        log.append(predictions(1))
    folder.mkdir()
    log.append(predictions(1))

    assert len(ids_in(folder)) == 1


@pytest.mark.parametrize("room", [1, 8, 300, 3_000])
def test_a_short_write_takes_the_whole_batch_back(tmp_path: Path, room: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), str(room)], capture_output=True, text=True, check=True
    )

    assert "what can't be logged is refused" in done.stdout
    assert os.strerror(errno.EFBIG) in done.stdout
    assert [record.key for record in read(tmp_path)] == [*range(10), "UA-1"]
    assert len(segments_of(tmp_path)) == 2


@pytest.mark.parametrize("delay", [0.02, 0.05, 0.1, 0.2, 0.3, 0.35])
def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path, delay: float) -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        told = [child.stdout.readline()]
        os.set_blocking(child.stdout.fileno(), False)
        end = time.monotonic() + delay
        rest = b""
        while time.monotonic() < end:
            rest += child.stdout.read() or b""
        child.send_signal(signal.SIGKILL)
        child.wait()
        os.set_blocking(child.stdout.fileno(), True)
        rest += child.stdout.read()

    acknowledged = [line.decode().strip() for line in [*told, *rest.splitlines(keepends=True)] if line.endswith(b"\n")]
    found = list(read(tmp_path))
    assert [record.id for record in found][: len(acknowledged)] == acknowledged
    # Beyond that, at most the batch whose acknowledgement was under way.
    assert len(found) - len(acknowledged) <= 7
    assert all(record == prediction(record.id) for record in found)
    # Only the newest segment may have been killed before its first write.
    assert all(read_header(path) for path in segments_of(tmp_path)[:-1])


def _fail(*_: object) -> int:
    raise OSError(errno.EIO, "I/O error")
