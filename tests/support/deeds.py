"""Crawls whose hook ``extract`` does a deed, each another, at one page of those it crawls."""

from __future__ import annotations

from collections.abc import Mapping

from crawler import Crawl
from crawler.definition.loading import load_all
from tests.support.ground import Ground
from tests.support.webdriver import Doc, ScriptedChrome

HOOKS = """
from crawler import Crawl

def hook(deed, path="PATH"):
    code = compile(deed, __file__, "exec")
    def extract(page):
        if page.url.endswith(path):
            exec(code, globals())
        return {"url": page.url}
    return extract

def crawl(name, **fields):
    return Crawl(
        name=name, url="http://127.0.0.1/", robots=False, backoff=0.05, backoff_cap=0.1,
        breaker_failures=0, **fields,
    )
"""


def crawls_of_deeds(
    ground: Ground, deeds: Mapping[str, str], paths: list[str], *, at: str, code: str = ""
) -> tuple[str, dict[str, Crawl], ScriptedChrome]:
    """Write a crawl for each of ``deeds``, which is done at the page ``at``, one of ``paths``;
    ``code`` stands before them, for their use. Return the file, the crawls by name, and the Chrome
    of their site.
    """
    lines = [
        f"c{n} = crawl({name!r}); c{n}.extract(hook({deed!r}))"
        for n, (name, deed) in enumerate(deeds.items())
    ]
    hooks = ground.folder / "hooks.py"
    hooks.write_text("\n".join([HOOKS.replace("PATH", at), code, *lines]))
    chrome = ground.chrome_on({"/": Doc(links=paths)} | {path: Doc() for path in paths})
    return str(hooks), dict(load_all([str(hooks)])), chrome
