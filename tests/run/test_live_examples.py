"""``crawler validate --live``: the examples of a definition on live pages."""

from __future__ import annotations

import json

import pytest

from tests.site.server import Server

pytest_plugins = ["tests.site.fixture"]

CODE = """
from crawler import Crawl

fine = Crawl(
    name="fine", url="{url}", robots=False, extract={{"title": "h1", "price": ".price"}},
    examples=[
        {{"url": "/ok", "expect": {{"title": "Fine", "price": "absent"}}}},
        {{"url": "/ok", "expect": {{"title": "re:^fine", "price": "present"}}}},
        {{"url": "/404"}},
        {{"url": "/a", "route": "broken"}},
    ],
)

@fine.route("broken", match="/never")
def broken(page):
    raise ValueError("no such thing")
"""


@pytest.mark.browser
def test_examples_that_differ_are_told_with_their_selectors(folder, site: Server):
    (folder.path / "fine.py").write_text(CODE.format(url=site.url("/ok")))
    end = folder.here("validate", "fine.py", "--live", "--json")
    assert end.exit_code == 1
    good, differs, gone, broken = map(json.loads, end.stdout.splitlines())
    assert good["good"]
    fields = {one["field"]: (one["found"], one["selector"]) for one in differs["differences"]}
    assert fields == {"title": ("Fine", "h1"), "price": (None, ".price")}
    assert "http_404" in gone["failure"]
    assert broken["failure"].startswith("ValueError: no such thing; ")
    assert "fine.py" in broken["failure"]
    assert "1 of 4 examples as expected" in end.stderr


def test_examples_must_be_there_to_be_looked_at(folder):
    (folder.path / "bare.toml").write_text('url = "https://shop.example/"')
    end = folder.here("validate", "bare.toml", "--live")
    assert (end.exit_code, "bare has no examples" in end.stderr) == (2, True)
    end = folder.here("validate", "bare.toml", "--json")
    assert end.exit_code == 2
