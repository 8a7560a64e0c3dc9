"""The page about shared stores, done as it is written, against real servers."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from docs import generate
from tests.making import servers

PAGE = (generate.ROOT / "docs/how-to/move-to-shared-stores.md").read_text(encoding="utf-8")
PATIENCE = 60.0

_BLOCK = re.compile(r"^```(sql)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LEDGER = re.compile(r"postgresql://lockgate(:secret)?@db\.example\.org/lockgate")


def block(beginning: str, number: int = 0) -> str:
    """Give a block of the page by how it begins."""
    found: list[str] = [text for _, text in _BLOCK.findall(PAGE) if text.startswith(beginning)]
    return found[number]


class Reader:
    """Somebody who does what the page says, in a folder of their own."""

    def __init__(self, folder: Path, ledger: str, blobs: str) -> None:
        folder.mkdir()
        self._folder, self._ledger, self._blobs = folder, ledger, blobs
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {name: value for name, value in os.environ.items() if not name.startswith("LOCKGATE_")}
        # The page says that the password may stand there.
        self._environment = {**own, "PATH": path, "PGPASSWORD": "secret"}

    def types(self, text: str) -> str:
        script = self._translated(text)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ups(self, text: str) -> None:
        """Run `lockgate up` on free ports until everything answers, then stop it."""
        command = [*self._translated(text).split(), "--port", "0", "--control-port", "0", "--tether"]
        with subprocess.Popen(
            command, cwd=self._folder, env=self._environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            assert process.stderr is not None
            until = time.monotonic() + PATIENCE
            while not (self._folder / ".lockgate/run/up.json").is_file():
                assert process.poll() is None, process.stderr.read()
                assert time.monotonic() < until
                time.sleep(0.05)
            process.stdin.close()
            process.wait(PATIENCE)

    def remembers(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self._folder / ".lockgate/stores.json").read_text())
        return found

    def _translated(self, text: str) -> str:
        parts = urlsplit(self._ledger)
        plain = f"postgresql://lockgate@{parts.hostname}:{parts.port}{parts.path}"
        text = _LEDGER.sub(lambda found: self._ledger if found[1] else plain, text)
        return text.replace("s3://team/lockgate", self._blobs)


def test_the_database_can_be_made_as_it_is_written(postgres: servers.Postgres) -> None:
    (statements,) = (text for language, text in _BLOCK.findall(PAGE) if language == "sql")
    renamed = statements.replace("lockgate", "docs_reader").strip().splitlines()
    for statement in renamed:
        postgres.run(statement)
    for statement in ("DROP DATABASE docs_reader", "DROP ROLE docs_reader"):
        postgres.run(statement)


def test_one_can_begin_with_shared_stores_and_add_a_machine(tmp_path: Path, postgres_url: str, s3: servers.S3) -> None:
    first = Reader(tmp_path / "first", postgres_url, s3.url)
    first.ups(block("lockgate up"))
    assert first.remembers()["blobs"] == s3.url
    first.types("lockgate endpoint create parcels")
    second = Reader(tmp_path / "second", postgres_url, s3.url)
    second.ups(block("lockgate up", 1))
    assert "parcels" in second.types("lockgate status")


def test_the_environment_is_enough(tmp_path: Path, postgres_url: str, s3: servers.S3) -> None:
    reader = Reader(tmp_path / "reader", postgres_url, s3.url)
    reader.types(block("export LOCKGATE_LEDGER"))
    assert "secret" not in reader.remembers()["ledger"]


def test_one_can_move_there_and_back(tmp_path: Path, postgres_url: str, s3: servers.S3) -> None:
    reader = Reader(tmp_path / "reader", postgres_url, s3.url)
    reader.types("lockgate endpoint create parcels")
    reader.types(block("lockgate move"))
    assert reader.remembers()["blobs"] == s3.url
    assert "parcels" in reader.types("lockgate status")
    reader.types(block("lockgate move", 1))
    assert reader.remembers() == {}
    assert "parcels" in reader.types("lockgate status")


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ALLOW_HTTP", "AWS_ACCESS_KEY_ID", "AWS_REGION"])
def test_the_page_names_what_the_tests_reach_their_s3_with(name: str, s3: servers.S3) -> None:
    assert name in s3.environment
    assert name in PAGE
