"""Workshops: a fresh one, and one that has shipped already."""

import shutil
from pathlib import Path

import pytest

from tests.making.workshop import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Give a workshop that has shipped once, to an endpoint that replays, as its data lies in the past."""
    workshop = Workshop(tmp_path_factory.mktemp("template"))
    assert workshop.run("endpoint", "create", "parcels", "--replay")[0] == 0
    workshop.first = workshop.ship()
    return workshop


@pytest.fixture
def shipped(template: Workshop, tmp_path: Path) -> Workshop:
    """Give a copy of it."""
    shutil.copytree(template.project.parent, tmp_path, dirs_exist_ok=True)
    return Workshop.at(tmp_path, template.first)
