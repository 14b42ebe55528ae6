"""Every reason for which a page can fail is explained, and none that is not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from crawler.browser.reasons import CAUSES
from crawler.output.failure_reasons import REASONS, meaning
from tests.support.generated import page_of

ROOT = Path(__file__).parents[2]
#: Calls whose text in quotes is a reason.
CALLS = ("PageError", "Refusal", "FetchError", "_error")
#: Families, words that the code makes, and words of plain requests that become others.
MADE = {
    *("http_4xx", "http_5xx", "http_403", "http_408", "http_429", "http_500", "http_502"),
    *("http_503", "http_504", "redirect_", "step_", "STEP:", "internal:", "other"),
    *("retry:", "blocked:"),
    *(
        "wait_timeout",
        "form_sent",
        "cancelled",
        "certificate",
        "tls",
        "hung",
        "browser_lost",
        "browser_away",
        "protocol",
        "shutdown",
    ),
}


def reasons_of_code() -> Iterator[str]:
    """Yield the reasons that Python code gives as a text in quotes, and those of the scripts."""
    for path in (ROOT / "crawler").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
                if name in CALLS or (name == "fail" and "frontier" in ast.unparse(node.func)):
                    yield from (text for text in texts if isinstance(text, str))
            if isinstance(node, ast.Tuple) and ast.unparse(node).startswith("(FailureClass."):
                text = node.elts[1]
                if isinstance(text, ast.Constant):
                    yield text.value
    for path in (ROOT / "crawler" / "frontier" / "lua").rglob("*.lua"):
        for call in re.findall(r"\b(?:fail|bury)\(crawl.*", path.read_text()):
            yield from re.findall(r'"(?:infra|terminal|crash|retry)", "(\w+)"', call)
            yield from re.findall(r'class, "(\w+)"', call)


def test_each_reason_of_the_code_is_explained_and_no_other():
    found = {reason for reason in reasons_of_code() if re.fullmatch(r"[a-z_]+", reason)}
    found |= {reason for reason, _ in CAUSES.values()}
    found -= {"private"}  # becomes private_address
    assert {reason for reason in found if meaning(reason) is None} == set()
    assert set(REASONS) - found - MADE == set()


def test_kinds_of_a_family_are_explained_by_it():
    assert meaning("http_404") is REASONS["http_4xx"]
    assert meaning("http_599") is REASONS["http_5xx"]
    assert meaning("redirect_scope") is REASONS["redirect_"]
    assert meaning("step_2_click") is REASONS["step_"]
    assert meaning("extract: ValueError") is REASONS["STEP:"]
    assert meaning("err_quic_protocol_error") is None


def test_what_is_said_to_be_tried_again_is():
    for reason, retried in CAUSES.values():
        # some of the causes of a bad response never pass
        if reason != "bad_response":
            assert REASONS[reason].retried == retried, reason


def test_the_documentation_of_failures_is_what_the_code_says():
    page = (ROOT / "docs" / "failures.md").read_text()
    assert page == page_of("make_failures"), "run `make docs`"
