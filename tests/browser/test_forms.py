"""Forms are submitted as a browser does it, once, whatever comes of it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.pool import Chrome
from crawler.definition.forms import with_form
from crawler.errors import PageError
from crawler.model import Page, Response
from crawler.profile import Profile
from tests.grid import needs_grid
from tests.site.forms import Post, posts
from tests.site.server import Server
from tests.support.chromedriver import running_driver
from tests.support.patience import PATIENCE

pytest_plugins = ["tests.site.fixture", "tests.grid.fixture"]

FIELDS = {"q": "tea & ~milk*\r\nü€", "tag": ["a", "b"], "submit": "", "n": "7"}
BODY = "q=tea+%26+%7Emilk*%0D%0A%C3%BC%E2%82%AC&tag=a&tag=b&submit=&n=7"
PROFILE = Profile("tests", basic_auth=(("127.0.0.1", "me:s3c:ret"),))
#: For pages that never come.
IMPATIENT = replace(PROFILE, page_load_timeout=5.0)
#: What comes of a form by the end of its path.
ANSWERS = {
    "404": 404,
    "500": 500,
    "431": 431,  # many cookies, perhaps
    "shut": 200,  # a password is asked for
    "leads": 200,  # by a refresh
    "cut": "empty_response",
    "204": "no_content",
    "file": "download",
    "late": "timeout",
}


@pytest.fixture(
    params=[
        pytest.param("local", marks=pytest.mark.browser),
        pytest.param("driver", marks=[pytest.mark.browser, pytest.mark.soak]),
        pytest.param("grid", marks=[pytest.mark.browser, pytest.mark.soak, needs_grid]),
    ]
)
def place(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def chrome(place: str, request: pytest.FixtureRequest, den: Path) -> Iterator[Chrome]:
    with ExitStack() as ending:
        url = None
        if place == "grid":
            url = request.getfixturevalue("grid").url
        elif place == "driver":
            url = ending.enter_context(running_driver(den))
        yield ending.enter_context(Chrome(Endpoint(url=url, page_load_timeout=PATIENCE)))


def test_a_form_is_sent_once_as_a_browser_sends_it(chrome: Chrome, place: str, site: Server):
    def send(how: str) -> tuple[Response | PageError, list[Post]]:
        """Return what came of a form, and the forms that the site got."""
        before, said = len(posts(site)), []
        never = how == "late" or (how in ("204", "file") and place != "local")
        with chrome.session(IMPATIENT if never else PROFILE) as browser:
            if how == "cut":
                browser.request(Page(site.url("/say/first")))
            page = with_form(Page(site.url(f"/say/{how}")), FIELDS)
            try:
                came = browser.request(page, sending=lambda: said.append(len(posts(site))))
            except PageError as error:
                came = error
        assert said == [before], "it is said once, before the form is sent"
        return came, posts(site)[before:]

    came, (post,) = send("it?a=b")
    assert (came.status, came.url) == (200, site.url("/say/it?a=b"))
    assert [link.url for link in came.links] == [site.url("/say/more")]
    assert (post.path, post.body) == ("/say/it?a=b", BODY)
    assert post.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (post.headers["origin"], post.headers["referer"]) == (
        site.url("").rstrip("/"),
        site.url("/say/it?a=b"),
    )
    assert post.headers["sec-fetch-site"] == "same-origin"
    assert "said" not in post.headers.get("cookie", "")

    for status, body in {302: None, 303: None, 307: BODY, 308: BODY}.items():
        came, (first, *others) = send(str(status))
        assert (came.status, came.url) == (200, site.url("/say/it"))
        assert (first.path, first.body) == (f"/say/{status}", BODY)
        assert [other.body for other in others] == ([body] if body else [])
    _, (post,) = send("it")
    assert "said=yes" in post.headers["cookie"]

    for how, expected in ANSWERS.items():
        came, sent = send(how)
        if place != "local":  # WebDriver tells less
            late = dict.fromkeys(("file", "204"), "timeout")
            expected = {**late, "cut": "err_failed"}.get(how, expected)
            if getattr(came, "reason", "") == "empty_response":  # of a whole Chrome
                expected = came.reason
        assert (came.reason if isinstance(came, PageError) else came.status) == expected, how
        if how == "cut" and place != "local":
            del sent[1:]  # Chrome itself sends again what a kept connection does not answer
        assert [(one.path, one.body) for one in sent] == [(f"/say/{how}", BODY)], how


def test_no_form_is_sent_that_must_not_be_or_cannot(chrome: Chrome, site: Server):
    def refuse() -> None:
        raise PageError(site.url(), "lost")

    before = len(posts(site))
    with socket.create_server(("127.0.0.1", 0)) as gone:
        closed = f"http://127.0.0.1:{gone.getsockname()[1]}/say"
    for url in (site.url("/say/it"), closed):
        with chrome.session(PROFILE) as browser, pytest.raises(PageError) as raised:
            browser.request(with_form(Page(url), FIELDS), sending=refuse)
        assert raised.value.reason == "lost" or (raised.value.reason, url) == ("refused", closed)
    assert len(posts(site)) == before
