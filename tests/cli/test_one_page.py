"""``crawler run`` and ``crawler shell`` as somebody types them: their streams, and their ends."""

from __future__ import annotations

import json
import threading

import pytest

from tests.site.server import Request, Server, route
from tests.support.patience import PATIENCE

pytest_plugins = ["tests.site.fixture"]

RELEASED = threading.Event()


@route("/one/")
def one(request: Request) -> None:
    """A page that gets its price once the crawl's filter has asked for /one/release."""
    if request.rest == "release":
        RELEASED.set()
    if request.rest == "held":
        RELEASED.wait(PATIENCE)
    if request.rest != "shop":
        request.answer(b"{}", Content_Type="application/json")
        return
    links = "".join(f"<a href=/a/{n}>{n}</a> <a href=mailto:{n}@x.y>m</a>" for n in range(12))
    script = """fetch('held').then(() => {
        document.body.insertAdjacentHTML('beforeend', '<b class=price>9</b>') })"""
    request.html(f"<h1>Tea</h1>{links}<script>{script}</script>", title="Shop")


CODE = """
from urllib.request import urlopen

from crawler import Crawl

tea = Crawl(name="tea", url="{url}", robots=False, deny=["/a/11$"],
            extract={{"title": "h1", "price": ".price", "stock": ".stock"}})

@tea.filter
def keep(link):
    urlopen("{url}".replace("shop", "release")).close()
    return True
"""


@pytest.mark.browser
def test_a_page_is_told_on_two_streams_with_a_wait_that_helps(folder, site: Server):
    (folder.path / "tea.py").write_text(CODE.format(url=site.url("/one/shop")))
    folder.environ |= {"DISPLAY": "", "WAYLAND_DISPLAY": ""}
    end = folder.here("run", "tea.py", "--show", "--headers")
    # the item can go on to another program, all else is for people
    assert json.loads(end.stdout) == {"title": "Tea", "price": None, "stock": None}
    lines = end.stderr.splitlines()
    assert f"{site.url('/one/shop')}  status 200 OK  text/html" in lines[1]
    assert "warning: no value in price (.price), stock (.stock)" in lines
    assert "11 links kept" in lines
    assert "  … and 1 more (--links shows all)" in lines
    assert f"  deny             1  as {site.url('/a/11')}" in lines
    assert "  content-type: text/html; charset=utf-8" in lines
    assert 'hint: price got a value after the page was read: wait_for = [".price"]' in lines
    assert lines[0].startswith("no window is shown: ")
    assert end.exit_code == 0


@pytest.mark.browser
def test_a_shell_has_the_page_and_leaves_no_chrome(folder, site: Server):
    # at a prompt an error is the user's, and the prompt goes on
    typed = "page.text('h1')\nboom\nfollow('/b')\nlinks\n"
    end = folder.here("shell", site.url("/ok"), "--no-robots", stdin=typed)
    assert end.exit_code == 0
    assert "'Fine'" in end.stdout
    assert "NameError: name 'boom' is not defined" in end.stderr
    assert site.url("/from-b") in end.stdout
    assert folder.left_over() == []
    # with -c it is three lines, with the page where it came
    checks = """
assert css("a::attr(href)") == ["/a", "/b", "mailto:x@y.z"]
assert xpath("//h1") == ["Fine"] and crawl.url and len(links) == 2
follow("/one/shop")
page.wait_for(".price")
assert [one.status for one in responses("*/held")] == [200]
follow(links[0])
assert page.title == "Not found"
try:
    follow("http://10.0.0.1/")
except Exception as error:
    print(error)
boom"""
    RELEASED.set()
    end = folder.here("shell", "--no-robots", site.url("/ok"), "-c", checks.strip())
    assert end.stdout == "private_address at http://10.0.0.1/\n", end.stderr
    assert end.exit_code == 1
    *noted, what, where, on = end.stderr.splitlines()
    assert what == "Error: NameError: name 'boom' is not defined"
    assert where == "  in the code of -c, line 12: boom"
    assert on == "  at http://10.0.0.1/"
    assert noted == [f"a crawl gives this page up: http_404, status 404 at {site.url('/a/0')}"]
