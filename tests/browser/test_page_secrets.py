"""Proxies, credentials and downloads of a crawl: they work, and no password is seen where people
look.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from crawler import Crawl
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.pool import Chrome
from crawler.config import settings
from crawler.definition.bounds import entry_pages, scope_of
from crawler.definition.browser_profile import profile_of, visit_of
from crawler.definition.crawl_plan import definition_of
from crawler.definition.digest import digest_of
from crawler.definition.network import guard_of, proxies_of
from crawler.errors import BrowserUnavailable, DefinitionError, PageError
from crawler.model import Response, Result
from crawler.net.permits import Permits
from crawler.net.proxies import Proxies
from crawler.run.request import accept
from crawler.secret_refs import SECRET_PREFIX
from tests.site.proxies import ProxyServer
from tests.site.server import Server

pytest_plugins = ["tests.site.fixture"]
pytestmark = pytest.mark.browser

SECRETS = {"CRAWLER_SECRET_SITE": "me:s3c:ret", "CRAWLER_SECRET_WORD": "canary-word"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def chrome(files: Path) -> Iterator[Chrome]:
    with Chrome(
        Endpoint(page_load_timeout=10, script_timeout=5, files=files, secrets=SECRETS)
    ) as chrome:
        yield chrome


Visit = Callable[..., Response]


@pytest.fixture
def visit(chrome: Chrome, site: Server) -> Iterator[Visit]:
    """Request pages as one crawl of one worker would; ``visit.browser`` is the last session."""
    permits: dict[str, Permits] = {}

    def visit(path: str, *, host: str = "127.0.0.1", obey: bool = False, **fields) -> Response:
        crawl = Crawl(name="tests", url=site.url(path, host=host), **fields)
        page = entry_pages(crawl)[0]
        asked = permits.setdefault(
            repr(sorted(fields.items())),
            Permits(guard_of(crawl), obey=obey, proxies=proxies_of(crawl, SECRETS)),
        )
        flags = asked.flags(local=chrome.local, fresh=not chrome.warm)
        with chrome.session(profile_of(crawl, flags)) as visit.browser:
            asked.check(page.url)
            response = accept(crawl, page, visit.browser, asked)
            visit.live = visit.browser.live(page, response)
            visit.text = visit.live.evaluate("document.body.innerText")
            return response

    yield visit
    chrome.close()  # the gateways end with their permits


def reason(visit: Visit, *args, **fields) -> str:
    with pytest.raises(PageError) as failed:
        visit(*args, **fields)
    assert "s3c" not in f"{failed.value!r} {failed.value.__cause__!r} {failed.value.__context__!r}"
    return failed.value.reason


def command_lines() -> str:
    """Return the command lines of the browser's processes, which every user here can read."""
    found = []
    for process in psutil.process_iter():
        try:
            found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return "\n".join(line for line in found if "chrom" in line)


# Credentials by HTTP


def test_a_host_that_asks_is_told_the_password_that_is_for_it(visit, site):
    response = visit("/private/a", basic_auth={"127.0.0.1": "$CRAWLER_SECRET_SITE"})
    assert (response.status, response.title) == (200, "In")
    assert response.url == site.url("/private/a")
    assert [link.url for link in response.links] == [site.url("/private/next")]
    assert visit.live.evaluate("[document.URL, document.baseURI, document.referrer]") == [
        site.url("/private/a")
    ] * 2 + [""]
    site.hits.clear()
    assert visit("/private/b", basic_auth={"127.0.0.1": "$CRAWLER_SECRET_SITE"}).title == "In"
    assert site.hits["/private/b"] == 1  # from then on Chrome knows it


def test_another_host_is_not_told(visit, site):
    # a headless shell shows the page that asks, a whole Chrome an error page of its own
    unknown = ("http_401", "auth_required")
    assert (
        reason(visit, "/private/a", host="localhost", basic_auth={"127.0.0.1": "me:s3c:ret"})
        in unknown
    )
    assert (
        reason(
            visit,
            "/private/a",
            basic_auth={f"127.0.0.1:{site.server_address[1] + 1}": "me:s3c:ret"},
        )
        in unknown
    )
    assert (
        visit("/private/a", basic_auth={f"127.0.0.1:{site.server_address[1]}": "me:s3c:ret"}).title
        == "In"
    )


def test_a_wrong_password_is_tried_once_in_a_session(visit, site):
    site.hits.clear()
    assert reason(visit, "/private/a", basic_auth={"127.0.0.1": "me:s3c"}) == "auth_required"
    # as any page; with the password, which Chrome holds back until it is asked; as any page
    assert site.hits["/private/a"] == 4
    assert reason(visit, "/private/b", basic_auth={"127.0.0.1": "me:s3c"}) == "auth_required"
    assert site.hits["/private/b"] == 1
    assert reason(visit, "/401", basic_auth={"127.0.0.1": "me:s3c"}) == "auth_required"


def test_a_worker_that_does_not_know_a_reference_takes_no_page(visit):
    with pytest.raises(
        BrowserUnavailable, match="has no CRAWLER_SECRET_OTHER, which the crawl refers to"
    ):
        visit("/private/a", basic_auth={"127.0.0.1": "$CRAWLER_SECRET_OTHER"})


def test_only_some_variables_can_be_referred_to():
    environ = {"CRAWLER_SECRET_A": "1", "CRAWLER_REDIS_URL": "redis://x", "HOME": "/"}
    assert settings.secrets(SECRET_PREFIX, environ) == {"CRAWLER_SECRET_A": "1"}
    assert settings.unknown(SECRET_PREFIX, environ) == {}


# Proxies


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_with_a_password_serves_everything_and_hides_the_password(
    visit, site, scheme, caplog
):
    caplog.set_level(logging.DEBUG, "crawler")
    with ProxyServer(scheme, "me", "s3c:r@t/", names={"only.proxy.knows": "127.0.0.1"}) as proxy:
        url = f"{scheme}://me:s3c%3Ar%40t%2F@127.0.0.1:{proxy.port}"
        site.hits.clear()
        response = visit("/sent", host="only.proxy.knows", obey=True, proxy=url)
        assert response.status == 200
        # localhost is private, and not asked for; a whole Chrome asks its maker for things as well
        port = site.server_address[1]
        assert {place for place in proxy.asked if place.endswith(f":{port}")} == {
            f"only.proxy.knows:{port}"
        }
        assert (site.hits["/robots.txt"], site.hits["/shot.png"], site.hits["/ads/1.png"]) == (
            1,
            1,
            0,
        )
    assert "s3c" not in command_lines() + caplog.text + repr(visit.browser.profile)


def test_proxies_take_turns_and_one_that_fails_is_set_aside(visit, chrome):
    with ProxyServer(user="me", password="right") as one, ProxyServer() as two:
        proxies = {"proxy": [one.url("wrong"), two.url(), "http://127.0.0.1:9"], "proxy_pause": 60}
        assert reason(visit, "/a", **proxies) == "proxy_auth"
        assert [visit(path, **proxies).title for path in ("/a", "/b")] == ["A", "B"]
        assert (one.refused > 0, len(one.asked), two.asked != []) == (True, 0, True)
        # the next session has the next proxy, where nobody listens; and then there is one left
        chrome.close()
        assert reason(visit, "/a", **proxies) == "proxy"
        assert visit("/a", **proxies).title == "A"
        # the site's fault
        assert reason(visit, "/x", host="127.0.0.9", **proxies) in (
            "unreachable",
            "private_address",
        )
        session = visit.browser.session_id
        assert visit("/b", **proxies).title == "B"
        assert visit.browser.session_id == session


def test_a_private_address_is_refused_behind_a_proxy_too(site):
    with ProxyServer() as proxy:
        crawl = Crawl(name="x", url="http://public.example/", proxy=proxy.url())
        permits = Permits(
            guard_of(crawl, resolve=lambda _: ["93.184.216.34"]),
            obey=False,
            proxies=proxies_of(crawl, {}),
        )
        with (
            Chrome(Endpoint(page_load_timeout=10)) as chrome,
            chrome.session(profile_of(crawl, permits.flags(local=True))) as browser,
        ):
            with pytest.raises(PageError) as failed:
                browser.request(scope_of(crawl).entry(site.url("/ok")))
            assert permits.explain(failed.value).reason == "private_address"
        assert proxy.asked == []


def test_a_remote_chrome_gets_a_proxy_by_flag_but_none_with_password():
    def flags(url: str) -> tuple[str, ...]:
        crawl = Crawl(name="x", url="http://127.0.0.1/", proxy=url)
        return Permits(
            guard_of(crawl), proxies=proxies_of(crawl, {"CRAWLER_SECRET_P": "http://a:canary@p"})
        ).flags(local=False)

    assert flags("socks5://p.example")[0] == "--proxy-server=socks5://p.example:1080"
    for url in ("http://a:canary@p", "$CRAWLER_SECRET_P"):
        with pytest.raises(BrowserUnavailable, match="http://p:3128 has a password") as refused:
            flags(url)
        assert "canary" not in str(refused.value)


def test_when_all_proxies_are_set_aside_the_first_one_due_serves():
    proxies = Proxies(["http://a", "http://b"], pause=60)
    assert [proxies.current().host, proxies.current().host, proxies.current(fresh=True).host] == [
        "a",
        "a",
        "b",
    ]
    assert proxies.fail().host == "b"
    assert proxies.current().host == "a"
    assert proxies.fail().host == "a"
    assert proxies.current().host == "b"


# What is seen of a definition


def test_no_fault_repr_or_digest_tells_a_secret():
    secret = {
        "basic_auth": {"x.test": "canary"},
        "proxy": ["ftp://me:canary@p"],
        "headers": {"X": "can\nary"},
        "steps": [{"fill": ["#a", "canary", "canary"]}],
    }
    with pytest.raises(DefinitionError) as wrong:
        Crawl(name="x", url="http://x.test/", **secret).validate()
    assert {fault.field.partition("[")[0] for fault in wrong.value.faults} == set(secret)
    assert "canary" not in str(wrong.value)
    right = {
        "basic_auth": {"x.test": "me:canary"},
        "proxy": ["http://me:canary@p"],
        "steps": [{"fill": ["#a", "canary"]}],
    }
    crawl = Crawl(name="x", url="http://x.test/", **right)
    assert (
        "canary" not in f"{crawl!r} {crawl.fields!r} {profile_of(crawl)!r} {visit_of(crawl)!r}"
        f" {proxies_of(crawl, {}).current()!r}"
    )
    other = crawl.replace(basic_auth={"x.test": "me:other"})
    assert (
        digest_of(crawl) == digest_of(Crawl(**definition_of(crawl))),
        digest_of(crawl) == digest_of(other),
    ) == (True, False)
    # any worker runs it, so it is kept with it
    assert json.dumps(definition_of(crawl)).count("canary") == 3


# Downloads and steps


def test_a_text_that_is_referred_to_is_filled_in(visit):
    steps = [{"fill": ["#q", "$CRAWLER_SECRET_WORD"]}, {"press": "Enter"}]
    visit("/steps", steps=[{"click": "#accept"}, *steps])
    assert visit.live.text("#found") == "canary-word among a"
    assert "canary-word" in visit.browser.driver.secrets


def test_a_download_is_refused_unless_it_is_asked_for(visit):
    assert reason(visit, "/data.csv") == "download"


@pytest.mark.parametrize("path", ["/data.csv", "/hop-to-data"])
def test_a_download_is_saved_with_name_size_and_digest(visit, files, path, site):
    site.hits.clear()
    response = visit(path, downloads="save", response_headers=True)
    assert (response.status, response.content_type, response.links, visit.text) == (
        200,
        "text/csv",
        (),
        "",
    )
    (file,) = response.files
    data = b"a,b\n" * 1000
    assert (file.size, file.digest) == (len(data), hashlib.sha256(data).hexdigest())
    assert file.name == f"{visit.live.page.id}-data_1_.csv"
    assert (files / "tests" / file.name).read_bytes() == data
    record = Result("tests", visit.live.page, response, None, (), 1.0).record()
    assert record["files"] == [{"name": file.name, "size": file.size, "digest": file.digest}]
    assert site.hits["/data.csv"] == 1
    assert visit("/a", downloads="save", response_headers=True).title == "A"
    assert visit.live.response.files == ()


def test_what_a_step_downloads_is_kept_too(visit):
    response = visit("/offers", downloads="save", response_headers=True, steps=[{"click": "a"}])
    assert [(file.size, response.title) for file in response.files] == [(4000, "Offers")]


def test_a_download_has_an_end_in_size_and_in_time(visit):
    limits = {"downloads": "save", "download_limit": 300_000, "download_timeout": 1.5}
    assert reason(visit, "/data.bin?kb=1000", **limits) == "download_too_large"
    assert reason(visit, "/data.bin?kb=100&never=1", **limits) == "download_timeout"
    assert visit("/a", **limits).title == "A"


def test_a_chrome_elsewhere_cannot_save_downloads_and_says_so():
    with Chrome(Endpoint(url="http://127.0.0.1:9")) as chrome:
        profile = profile_of(Crawl(name="x", url="http://127.0.0.1/", downloads="save"))
        with (
            pytest.raises(
                BrowserUnavailable,
                match="saves downloads, which a Chrome elsewhere cannot hand over",
            ),
            chrome.session(profile),
        ):
            pass
