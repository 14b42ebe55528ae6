"""A drafted definition as a file: read again it is the same, and formatters leave it as it is."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from crawler.definition.loading import load
from crawler.drafts.draft import Draft, expected, name_problem
from crawler.drafts.page_kinds import Details
from crawler.drafts.python_text import python_text
from crawler.drafts.toml_text import toml_text
from crawler.errors import DefinitionError

URL = "https://shop.example/"
TABLE: dict[str, Any] = {
    "title": "h1",
    'it\'s "odd" \\d é 日\u0301\x07\n': 'p re:^(\\d+) "x"\'s$',
    "price": {"select": ".price", "type": "number"},
    "tags": [".tag"],
    "sums": [{"select": f".{'sum-of-all ' * 7}b", "type": "number"}],
    "path": r"p re:\d+",
}
DETAILS = Details(".cards a", (f"{URL}books/a/", f"{URL}books/b/"), r"^/books/[^/?]+\.html$")
PAGER = Details(".pages a", (f"{URL}?page=2",), r"^/\?page=[^&]*")
DRAFTS = {
    "page": Draft("page", URL, {"depth_limit": None, "delay": 0.5}, TABLE),
    "items": Draft("items", URL, {"allow": ["/a/", r"/b\d"] * 8}, TABLE, each=".card"),
    "short": Draft("short.er", URL, {}, {"title": "h1"}, example=URL, values={"title": "Tea"}),
    "bare": Draft("1st", URL),
    "wide": Draft("wide", f"{URL}{'x' * 30}", {"page_limit": 5, "images": False}),
    "lists": Draft(
        *("class", URL, {"page_limit": 10}, {"title": "h1", "name": "h2"}, "", DETAILS, PAGER),
        lists="^/$",
        example=f"{URL}books/a/",
        values={"title": "present", "name": ["a", None]},
    ),
}


@pytest.mark.parametrize("kind", DRAFTS)
@pytest.mark.parametrize("ending", [".toml", ".py"])
def test_a_file_says_what_was_drafted(tmp_path, kind, ending):
    draft = DRAFTS[kind]
    draft.check()
    write = toml_text if ending == ".toml" else python_text
    path = tmp_path / f"{kind}{ending}"
    path.write_text(write(draft.fields, f"The crawl {draft.name}."))
    crawl = load(str(path))
    crawl.validate()
    expected_fields = {"depth_limit": 3, **draft.fields}
    for name, value in expected_fields.items():
        if name not in ("url", "allow", "examples"):
            assert getattr(crawl.fields, name) == value, name
    if ending == ".toml":
        read = tomllib.loads(path.read_text())
        assert read == {
            name: "none" if value is None else value for name, value in draft.fields.items()
        }
        assert all(len(line) <= 80 or "[" not in line for line in path.read_text().splitlines()[:9])


def test_the_formatter_has_nothing_to_say(tmp_path):
    for kind, draft in DRAFTS.items():
        (tmp_path / f"{kind}.py").write_text(python_text(draft.fields, f"The crawl {draft.name}."))
    ruff = Path(sys.executable).parent / "ruff"
    for size in (88, 100):
        words = [ruff, "format", "--isolated", "--check", f"--config=line-length={size}", tmp_path]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_an_example_expects_what_would_be_misread_exactly():
    assert expected("present") == {"is": "present"}
    assert expected("re:x") == {"is": "re:x"}
    assert expected(None) == expected([]) == "absent"
    assert expected("x" * 51) == expected(list(range(6))) == expected({"a": 1}) == "present"
    assert expected([1.5, "a"]) == [1.5, "a"]


def test_names_that_a_definition_would_misread_are_refused():
    assert name_problem("title", {}) is None
    assert name_problem("title", {"title": "h1"}) == "title is there already"
    assert "call it item_delay" in str(name_problem("delay", {}))
    assert "call it item_select" in str(name_problem("select", {}))
    assert "no name of a field" in str(name_problem("a b", {}))
    with pytest.raises(DefinitionError, match="delay is a field of the crawl"):
        Draft("a", URL, {}, {"delay": "h1"}).check()
