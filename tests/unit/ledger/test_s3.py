"""What goes wrong with blobs in S3, and how they say so."""

import multiprocessing
import signal
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from obstore.store import S3Store

from lockgate.kernel.canonical import Digest, sha256
from lockgate.kernel.errors import Conflict, Corrupt, Invalid, Unavailable
from lockgate.ledger.blobs import ObjectBlobs
from lockgate.ledger.s3 import s3_blobs
from tests.making import servers

DATA = b"a blob that somebody needs"
DIGEST = sha256(DATA)
LARGE = bytes(range(256)) * (70 << 10)
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def blobs(s3: servers.S3) -> ObjectBlobs:
    return s3_blobs(s3.url)


@pytest.fixture
def store(s3: servers.S3) -> S3Store:
    """Give the bucket as others see it."""
    return S3Store(servers.BUCKET, prefix=s3.prefix)


def key_of(digest: Digest) -> str:
    digits = digest.removeprefix("sha256:")
    return f"sha256/{digits[:2]}/{digits}"


def test_a_blob_is_an_object_named_by_its_digest(blobs: ObjectBlobs, store: S3Store) -> None:
    blobs.put(DATA)
    assert [one["path"] for page in store.list() for one in page] == [key_of(DIGEST)]


def test_a_damaged_object_is_found_by_every_read(
    blobs: ObjectBlobs, store: S3Store, s3: servers.S3, tmp_path: Path
) -> None:
    blobs.put(DATA)
    store.put(key_of(DIGEST), bytes([DATA[0] ^ 1]) + DATA[1:])
    for read in (lambda: blobs.get(DIGEST), lambda: blobs.fetch(DIGEST, tmp_path / "out")):
        with pytest.raises(Corrupt) as refused:
            read()
        assert f"{s3.url}/{key_of(DIGEST)}" in refused.value.found
    assert list(tmp_path.iterdir()) == []


def test_the_rest_of_a_crash_is_replaced_when_the_blob_is_put_again(blobs: ObjectBlobs, store: S3Store) -> None:
    store.put(key_of(DIGEST), b"")
    blobs.put(DATA)
    assert blobs.get(DIGEST) == DATA


def put_both(url: str, folder: str, ready: Barrier) -> None:
    blobs = s3_blobs(url)
    ready.wait(60)
    for number in range(20):
        blobs.put(f"blob {number}".encode())
    blobs.put_file(Path(folder) / "large")


def test_two_processes_that_store_the_same_blobs_do_not_disturb_each_other(
    blobs: ObjectBlobs, s3: servers.S3, tmp_path: Path
) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    ready = SPAWN.Barrier(2)
    writers = [SPAWN.Process(target=put_both, args=(s3.url, str(tmp_path), ready)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    wanted = {*(sha256(f"blob {number}".encode()) for number in range(20)), sha256(LARGE)}
    assert set(blobs.digests()) == wanted
    assert {sha256(blobs.get(digest)) for digest in wanted} == wanted


UPLOADS_AND_IS_STUCK = """
import pathlib, sys, time
from lockgate.ledger import blobs
from lockgate.ledger.s3 import s3_blobs
whole = blobs._unchanged
def stuck(chunks, digest, path):
    for number, chunk in enumerate(whole(chunks, digest, path)):
        yield chunk
        if number == 3:
            print("stuck", flush=True)
            time.sleep(60)
blobs._unchanged = stuck
s3_blobs(sys.argv[1]).put_file(pathlib.Path(sys.argv[2]))
"""


def test_an_upload_that_is_killed_is_not_seen(blobs: ObjectBlobs, s3: servers.S3, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(LARGE * 3)
    command = [sys.executable, "-c", UPLOADS_AND_IS_STUCK, s3.url, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as upload:
        assert upload.stdout is not None
        assert upload.stdout.readline() == "stuck\n"
        upload.send_signal(signal.SIGKILL)
    assert not blobs.has(sha256(LARGE * 3))
    assert list(blobs.digests()) == []
    assert blobs.put_file(path) == sha256(LARGE * 3)
    assert blobs.has(sha256(LARGE * 3))


def test_a_file_that_changes_while_it_goes_up_is_refused(
    blobs: ObjectBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large"
    path.write_bytes(LARGE)

    def meddle(_self: ObjectBlobs, _digest: Digest, size: int) -> bool:
        path.write_bytes(bytes(size))
        return False

    monkeypatch.setattr("lockgate.ledger.blobs.ObjectBlobs._stands", meddle)
    with pytest.raises(Conflict, match="changed while it was stored"):
        blobs.put_file(path)
    assert list(blobs.digests()) == []


def test_a_large_file_is_never_in_memory_as_a_whole(s3: servers.S3, tmp_path: Path) -> None:
    code = (
        "import pathlib, resource, sys\n"
        "from lockgate.ledger.s3 import s3_blobs\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "blobs = s3_blobs(sys.argv[2])\n"
        "before = peak()\n"
        "blobs.fetch(blobs.put_file(folder / 'in'), folder / 'out')\n"
        "print(peak() - before)\n"
    )
    with (tmp_path / "in").open("wb") as file:
        file.truncate(160 << 20)
    done = subprocess.run([sys.executable, "-c", code, tmp_path, s3.url], check=True, capture_output=True, text=True)
    grown = int(done.stdout) * (1 if sys.platform == "darwin" else 1024)
    assert grown < 96 << 20, grown


# --- what is refused -------------------------------------------------------------------------------------------------

AMISS = {
    "no server": ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "is AWS_ENDPOINT_URL right"),
    "a wrong secret": ({"AWS_SECRET_ACCESS_KEY": "let-me-in"}, "AWS_SECRET_ACCESS_KEY of somebody"),
    "a server without TLS": ({"AWS_ALLOW_HTTP": "false"}, "set AWS_ALLOW_HTTP=true"),
}


@pytest.mark.parametrize("what", AMISS)
def test_what_can_not_be_reached_is_said_when_it_is_opened(
    what: str, s3: servers.S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment, way_out = AMISS[what]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Unavailable) as refused:
        s3_blobs(s3.url)
    assert s3.url in refused.value.what
    assert way_out in refused.value.way_out
    assert "let-me-in" not in str(refused.value)
    assert "\n" not in refused.value.found


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_is_not_there_is_said_and_not_made() -> None:
    for _ in range(2):
        with pytest.raises(Unavailable) as refused:
            s3_blobs("s3://no-such-bucket/prefix")
        assert refused.value.way_out == "Make the bucket first, or name another one."


def test_a_server_that_went_away_is_unavailable(
    s3: servers.S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    gone = ObjectBlobs(S3Store(servers.BUCKET, retry_config={"max_retries": 0}), where=s3.url)
    (tmp_path / "in").write_bytes(DATA)
    asks: list[Callable[[], object]] = [
        lambda: gone.put(DATA),
        lambda: gone.put_file(tmp_path / "in"),
        lambda: gone.get(DIGEST),
        lambda: gone.fetch(DIGEST, tmp_path / "out"),
        lambda: gone.has(DIGEST),
        lambda: list(gone.digests()),
    ]
    for ask in asks:
        with pytest.raises(Unavailable):
            ask()


@pytest.mark.parametrize(
    "url",
    ["s3://", "s3:///prefix", "s3://key:let-me-in@bucket/p", "s3://bucket/a/../b", "s3://bucket/p?secret=let-me-in"],
)
def test_a_url_is_refused_that_names_no_bucket_alone(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        s3_blobs(url)
    assert refused.value.expected == "s3://bucket/prefix"
    assert "let-me-in" not in str(refused.value)
