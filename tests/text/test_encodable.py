"""The gate for text of strangers: what has passed it can be encoded."""

from __future__ import annotations

import pytest

from crawler.redaction import Secrets
from crawler.run.outcome import HookError, diagnose, one_line, without_secrets
from crawler.text.encodable import encodable, encodable_value

HALF = "Ten \ud83d"


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("whole \U0001f600", "whole \U0001f600"),
        (HALF, "Ten \ufffd"),
        ("\ude00 end", "\ufffd end"),
        ("a\ud83db\ud83d\ud83dc", "a\ufffdb\ufffd\ufffdc"),
        ("\ud83d" + "\ude00", "\U0001f600"),
    ],
)
def test_half_a_character_becomes_the_sign_for_one(text: str, expected: str):
    assert encodable(text) == expected
    assert encodable(text).encode()


def test_a_limit_that_cuts_a_pair_leaves_no_half():
    assert encodable("ab\ud83d\ude00", 3) == "ab\ufffd"


def test_values_are_mended_in_all_their_parts_and_keys():
    value = {HALF: [HALF, {"deep": (HALF, 1, None)}]}
    mended = {"Ten \ufffd": ["Ten \ufffd", {"deep": ("Ten \ufffd", 1, None)}]}
    assert encodable_value(value) == mended


def test_a_whole_value_is_returned_as_it_is():
    value = {"a": ["b", {"c": ("d",)}]}
    assert encodable_value(value) is value


@pytest.mark.parametrize("error", [ValueError(HALF), Mute(), type("E", (Mute,), {})(HALF)])
def test_each_error_of_a_hook_has_a_reason_and_a_substitute(error: Exception):
    reason = diagnose(HookError("extract", error))[1]
    assert reason.encode().startswith(b"extract: ")
    substitute = without_secrets(error, Secrets(), "shop")
    assert str(substitute).encode()
    assert one_line(error) in str(substitute)


def test_a_secret_with_half_a_character_can_be_hidden():
    assert HALF not in Secrets([HALF + " secret"]).hide(f"in {HALF} secret")
