"""The benchmark of imports runs, and judges by its goal."""

from benchmarks.gates import importing


def test_a_little_of_it_gives_a_figure_with_its_goal() -> None:
    (figure,) = importing.measure(rows=400, trees=3, times=1)

    assert figure.goal == "at most 30 s"
    assert figure.value is not None
    assert figure.met is (figure.value <= 30)
    assert "3 trees, 400 example rows" in figure.note
