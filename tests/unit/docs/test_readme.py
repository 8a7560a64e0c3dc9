"""The README says what is so."""

from pathlib import Path

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()


def test_the_readme_shows_the_whole_project_file_of_the_demo() -> None:
    assert (ROOT / "examples/flight_delay/project.py").read_text().rstrip() in README


def test_the_readme_shows_the_two_commands_the_picture_and_the_summary() -> None:
    for part in ("make demo ", "make test ", "docs/images/line.svg", "What happened"):
        assert part in README
