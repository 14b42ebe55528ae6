"""The bundled shop: how many pages it has is known, so that a crawl of it can be checked to the
page.
"""

# ruff: noqa: S310 - the addresses are our own
from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import quote, urldefrag, urljoin, urlsplit
from urllib.request import urlopen

import pytest

SERVE = Path(__file__).resolve().parents[1] / "examples" / "demo" / "serve.py"


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """The address of the shop."""
    with subprocess.Popen(
        [sys.executable, str(SERVE)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


def count() -> int:
    return int(
        subprocess.run(
            [sys.executable, str(SERVE), "--count"], capture_output=True, text=True, check=True
        ).stdout
    )


def get(url: str, *, scripts: bool = True) -> tuple[str, list[str]]:
    """Where ``url`` led, and the links there: each in one spelling, with those that a script makes
    if it is run.
    """
    with urlopen(url) as answer:
        html = answer.read().decode()
    for name in re.findall(r'fetch\("([^"]+)"\)', html) if scripts else ():
        with urlopen(urljoin(url, name)) as items:
            html += "".join(json.load(items))
    links = (
        urljoin(answer.url, unescape(href)) for href in re.findall(r'<a [^>]*href="([^"]+)"', html)
    )
    return answer.url, [
        quote(urldefrag(link).url, safe="/:?=&%")
        for link in links
        if urlsplit(link).scheme == "http"
    ]


def walk(start: str, *, scripts: bool) -> dict[str, int]:
    """Every page that links reach, with its depth, by the address at which it ended."""
    found: dict[str, int] = {}
    known, level, depth = {start}, [start], 0
    while level:
        reached = []
        for url in level:
            final, links = get(url, scripts=scripts)
            assert final not in found, f"{final} is two pages"
            found[final] = depth
            reached += [link for link in dict.fromkeys(links) if link not in known]
            known.update(reached)
        level, depth = reached, depth + 1
    return found


def test_the_shop_has_exactly_as_many_pages_as_it_says(shop):
    assert len(walk(shop, scripts=True)) == count()


def test_some_pages_exist_only_for_those_who_run_scripts(shop):
    assert count() - len(walk(shop, scripts=False)) == 9


def test_every_page_is_at_most_three_links_from_the_front(shop):
    """The default depth limit of a crawl must not hide any."""
    assert max(walk(shop, scripts=True).values()) == 3


def test_it_serves_while_a_command_runs_and_hands_on_its_exit_status():
    code = (
        "import sys, urllib.request as u; sys.exit(7 if b'Celery Books' in"
        " u.urlopen(sys.argv[1]).read() else 1)"
    )
    done = subprocess.run(
        [sys.executable, str(SERVE), "--while", sys.executable, "-c", code, "{}"], check=False
    )
    assert done.returncode == 7
