"""The tutorial, done as it is written; and the declarations of the how-to, loaded together."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from docs import generate

TUTORIAL = (generate.ROOT / "docs/tutorial/first-model.md").read_text(encoding="utf-8")
HOW_TO = (generate.ROOT / "docs/how-to/write-a-project.md").read_text(encoding="utf-8")
EXAMPLE = generate.ROOT / "examples" / "flight_delay"
PATIENCE = 120.0

_FILE = re.compile(r"<!-- file: (\S+) -->\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SHELL = re.compile(r"^```\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PLACE = re.compile(r"localhost:8440")


def environment() -> dict[str, str]:
    """Give one with our commands first, and a name for git."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("LOCKGATE_", "GIT_"))}
    who = {f"GIT_{role}_{part}": "tutor@example.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**own, **who, "PATH": path, "OMP_NUM_THREADS": "1", "GIT_CONFIG_GLOBAL": os.devnull}


def check(folder: Path) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "lockgate.cli.main", "check", str(folder)],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=PATIENCE,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def shell(script: str, folder: Path) -> str:
    """Run commands as at a terminal, stopping at the first that fails."""
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=PATIENCE,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture
def parcels(tmp_path: Path) -> Path:
    """Give the folder that the reader has after writing both files."""
    folder = tmp_path / "parcels"
    folder.mkdir()
    files = dict(_FILE.findall(TUTORIAL))
    assert set(files) == {"tables.py", "project.py"}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_the_project_of_the_tutorial_is_well(parcels: Path) -> None:
    assert "parcels is well" in check(parcels)


def test_the_declarations_of_the_how_to_are_a_project_that_is_well(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "tables.py", tmp_path)
    (tmp_path / "project.py").write_text("\n".join(_PYTHON.findall(HOW_TO)), encoding="utf-8")

    assert "flight-delay is well" in check(tmp_path)


@contextmanager
def up(folder: Path) -> Iterator[str]:
    """Run `lockgate up` on free ports; give where it answers."""
    command = [sys.executable, "-m", "lockgate.cli.main", "up", "--port", "0", "--control-port", "0", "--tether"]
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, env=environment()) as process:
        assert process.stdin is not None
        try:
            found, until = folder / ".lockgate/run/up.json", time.monotonic() + PATIENCE
            while not found.is_file():
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.05)
            yield json.loads(found.read_bytes())["predict"].removeprefix("http://")
        finally:
            process.stdin.close()
            process.wait(PATIENCE)


@pytest.mark.slow
@pytest.mark.skipif(not all(map(shutil.which, ("bash", "curl", "git"))), reason="the reader needs bash, curl and git")
def test_the_tutorial_can_be_done_as_it_is_written(parcels: Path) -> None:
    blocks = _SHELL.findall(_PYTHON.sub("", TUTORIAL))
    start = blocks.index("lockgate up\n")
    before = [block for block in blocks[:start] if "pip install" not in block]
    after = "\n".join(blocks[start + 1 :])

    shell("\n".join(before), parcels)
    with up(parcels) as place:
        script = _PLACE.sub(place, after).replace("curl ", "curl --silent --show-error --fail ")
        predict, rest = script.split("\n\n", 1)
        assert "/v1/predict/" in predict
        find = "import json; print(json.load(open('.lockgate/answer.json'))['predictions'][0]['id'])"
        rest = re.sub(r"^ID=.*$", f'ID=$(python -c "{find}")', rest, flags=re.MULTILINE)
        rest = rest.replace("git commit", 'sed -i \'s/"trees": 30/"trees": 60/\' project.py\ngit commit')
        said = shell(f"{predict} > .lockgate/answer.json\n{rest}", parcels)
        status = json.loads(shell("lockgate status --json", parcels))["endpoints"][0]

    assert '{"accepted":1}' in said
    assert "just to see it" in said
    assert [release["version"] for release in status["releases"]] == ["v2", "v1"]
    assert status["plan"]["number"] == 3
    assert status["plan"]["live"] == status["releases"][1]["release"]
