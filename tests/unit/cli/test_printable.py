"""What others wrote is shown, and never acted on: neither as markup nor by the terminal."""

from lockgate.cli.printable import printable
from lockgate.cli.showing import safe


def test_what_a_terminal_would_act_on_is_not_printed() -> None:
    assert printable("clear \x1b[2J, title \x1b]0;x\x07, back\x08, right \u202eleft") == (
        "clear ?[2J, title ?]0;x?, back?, right ?left"
    )
    assert printable("a line\n\tand another, é ☃ ·") == "a line\n\tand another, é ☃ ·"


def test_markup_and_control_characters_are_kept_from_every_text_of_an_answer() -> None:
    assert safe({"name": "[red]x[/]\x1b", "more": [1, None, "\x9b2J"]}) == {
        "name": "\\[red]x\\[/]?",
        "more": [1, None, "?2J"],
    }
