"""Text of strangers reaches no terminal as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crawler.cli.terminal import echo
from crawler.text.printable import printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain é 😀", "plain é 😀"),
        ("\x1b]0;owned\x07", r"\u001b]0;owned\u0007"),
        ("ok\rFAKE", r"ok\u000dFAKE"),
        ("a\nb", r"a\u000ab"),
        ("\x9b31m", r"\u009b31m"),
        ("gpj\u202eexe", r"gpj\u202eexe"),
        ("half \ud83d", "half \ufffd"),
    ],
)
def test_control_characters_are_shown_as_escapes(text: str, expected: str):
    assert printable(text) == expected


def test_line_breaks_of_ours_may_be_kept():
    assert printable("a\n\x1bb", keep="\n") == "a\n\\u001bb"


def test_the_commands_print_no_terminal_sequences(capsys):
    echo('{"title": "\x1b]0;owned\x07\r\x9b"}\nnext')
    printed = capsys.readouterr().out
    assert printed == '{"title": "\\u001b]0;owned\\u0007\\u000d\\u009b"}\nnext\n'


def test_no_module_prints_or_logs_past_the_functions_that_escape():
    root = Path(__file__).parents[2]
    for path in [*(root / "crawler").rglob("*.py"), *(root / "tasks").rglob("*.py")]:
        if path.name not in ("logs.py", "terminal.py"):
            found = re.search(r"getLogger\(__name__\)|click\.echo\(", path.read_text())
            assert not found, (path, found)
