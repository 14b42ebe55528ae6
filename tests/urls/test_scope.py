"""Which links belong to a crawl, what becomes of them, and why the others do not."""

from __future__ import annotations

import re
import time

import pytest

from crawler.model import Link, Priority, page_id
from crawler.urls.patterns import is_doubtful_host, parse_pattern
from crawler.urls.scope import REASONS, Scope

SHOP = "http://shop.example.com/"


def chosen(scope: Scope, *urls: str, **options):
    return scope.choose(scope.entry(SHOP), [Link(url) for url in urls], explain=True, **options)


def reason(scope: Scope, url: str) -> str | None:
    return scope.judge(Link(url), scope.entry(SHOP))


def test_a_link_becomes_a_page_one_link_deeper():
    scope = Scope([SHOP])
    entry = scope.entry(SHOP)
    (page,) = scope.choose(entry, [Link("http://SHOP.example.com:80/a?utm_source=x&b=1#top")]).pages
    assert page.url == "http://SHOP.example.com:80/a?utm_source=x&b=1"
    assert page.key == "http://shop.example.com/a?b=1"
    assert page.id == page_id(page.key)
    assert (page.depth, page.parent, page.lane, page.priority) == (
        1,
        entry.id,
        "shop.example.com",
        Priority.NORMAL,
    )


def test_a_link_twice_is_one_page_and_a_link_to_itself_none():
    seen = chosen(
        Scope([SHOP]),
        SHOP + "a",
        SHOP + "a#x",
        SHOP + "a?utm_id=1",
        SHOP,
        "http://SHOP.example.com",
    )
    assert [page.url for page in seen.pages] == [SHOP + "a"]
    assert seen.dropped == {"duplicate": 4}


@pytest.mark.parametrize(
    ("kind", "inside", "outside"),
    [
        (
            "same-host",
            [
                "http://shop.example.com/a",
                "https://shop.example.com/a",
                "http://shop.example.com:8080/",
                "http://www.shop.example.com/",
            ],
            [
                "http://example.com/",
                "http://api.shop.example.com/",
                "http://shop.example.com.evil.com/",
                "http://myshop.example.com/",
            ],
        ),
        (
            "same-domain",
            ["http://shop.example.com/", "https://example.com/", "http://a.b.example.com/"],
            ["http://example.org/", "http://myexample.com/", "http://example.com.evil.com/"],
        ),
        (
            "same-origin",
            ["http://shop.example.com/a", "http://shop.example.com:80/"],
            [
                "https://shop.example.com/",
                "http://shop.example.com:8080/",
                "http://www.shop.example.com/",
            ],
        ),
        (
            "all",
            ["http://shop.example.com/a", "http://anything.org/"],
            ["mailto:bob@example.com", "http://127.0.0.1/"],
        ),
        (lambda url: "/en/" in url, ["http://else.org/en/"], ["http://shop.example.com/de/"]),
        (lambda link, page: link.text == "" and page.depth == 0, ["http://else.org/"], []),
    ],
)
def test_the_scope_holds(kind, inside, outside):
    scope = Scope([SHOP], kind)
    assert [url for url in inside if reason(scope, url)] == []
    assert [url for url in outside if not reason(scope, url)] == []


def test_registrable_domains_are_told_apart():
    scope = Scope(["http://a.co.uk/"], "same-domain")
    assert reason(scope, "http://b.co.uk/") == "scope"
    assert reason(scope, "http://www.a.co.uk/") is None


def test_several_entries_all_belong():
    scope = Scope([SHOP, "http://other.org/"])
    assert reason(scope, "http://other.org/x") is None
    assert reason(scope, "http://third.org/x") == "scope"


def test_hostnames_in_allow_belong_as_well_and_expressions_narrow():
    scope = Scope([SHOP], allow=["cdn.org", r"/catalogue/", r"page-\d+"])
    assert reason(scope, "http://shop.example.com/catalogue/1") is None
    assert reason(scope, "http://img.cdn.org/page-7") is None
    assert reason(scope, "http://shop.example.com/about") == "allow"
    assert reason(scope, "http://elsewhere.org/catalogue/") == "scope"


def test_with_all_the_hostnames_in_allow_are_the_whole_scope():
    scope = Scope([SHOP], "all", allow=["one.org", "two.org"])
    assert reason(scope, "http://two.org/x") is None
    assert reason(scope, "http://three.org/x") == "scope"


def test_what_matches_deny_is_dropped():
    scope = Scope(
        [SHOP], "same-domain", deny=["blog.example.com", r"/reviews/", re.compile("LOGOUT", re.I)]
    )
    assert reason(scope, "http://blog.example.com/") == "deny"
    assert reason(scope, "http://old.blog.example.com/") == "deny"
    assert reason(scope, "http://shop.example.com/reviews/1") == "deny"
    assert reason(scope, "http://shop.example.com/logout") == "deny"
    assert reason(scope, "http://shop.example.com/books") is None


@pytest.mark.parametrize(
    "item", ["books.toscrape.com", "localhost", "127.0.0.1", "[::1]", "bücher.example", "a-b.c"]
)
def test_a_plain_name_is_a_hostname(item):
    assert isinstance(parse_pattern(item), str)


@pytest.mark.parametrize(
    "item",
    [
        r"/reviews/",
        r"page-\d+",
        "reviews",
        r"\.php$",
        "a.b/",
        "https://a.b",
        ".*",
        "^http",
        "a|b",
        "?p="[1:],
    ],
)
def test_anything_else_is_a_regular_expression(item):
    assert isinstance(parse_pattern(item), re.Pattern)


def test_a_file_name_is_not_taken_for_a_hostname_in_silence():
    assert is_doubtful_host("logout.php", [])
    assert is_doubtful_host("index.html", [])
    assert not is_doubtful_host("books.toscrape.com", [])
    assert not is_doubtful_host("wiki.corp", [])
    assert not is_doubtful_host("10.0.0.1", [])
    assert not is_doubtful_host("shop.intern", ["shop.intern"])


def test_links_to_files_are_not_followed_unless_asked():
    assert reason(Scope([SHOP]), SHOP + "manual.PDF") == "extension"
    assert reason(Scope([SHOP]), SHOP + "a.tar.gz?download=1") == "extension"
    assert reason(Scope([SHOP]), SHOP + "download?file=a.pdf") is None
    assert reason(Scope([SHOP]), SHOP + "v1.zip/readme") is None
    assert reason(Scope([SHOP]), SHOP + ".pdf") is None
    assert reason(Scope([SHOP], deny_extensions=[]), SHOP + "manual.pdf") is None
    assert reason(Scope([SHOP], deny_extensions=[".html"]), SHOP + "manual.html") == "extension"


def test_nofollow_counts_if_the_author_says_so():
    link = Link(SHOP + "a", rel="noopener NoFollow")
    assert Scope([SHOP]).judge(link, Scope([SHOP]).entry(SHOP)) is None
    assert Scope([SHOP], nofollow=True).judge(link, Scope([SHOP]).entry(SHOP)) == "nofollow"


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "http://0x7f.1/",
        "http://[::ffff:169.254.169.254]/",
        "http://localhost:9200/",
        "http://2130706433/",
    ],
)
def test_a_private_address_is_no_link_of_a_public_crawl(url):
    assert reason(Scope([SHOP], "all"), url) == "private"
    assert reason(Scope([SHOP], lambda url: bool(url)), url) == "private"
    assert reason(Scope([SHOP], "all", allow=["10.0.0.1", "localhost"]), url) == "private"


def test_a_crawl_of_a_private_host_stays_on_it():
    scope = Scope(["http://127.0.0.1:8000/"], "all")
    assert reason(scope, "http://127.0.0.1:8000/a") is None
    assert reason(scope, "http://2130706433:8000/a") is None
    assert reason(scope, "http://10.0.0.1/") == "private"
    assert (
        reason(Scope(["http://127.0.0.1/"], "all", private_hosts=["10.0.0.1"]), "http://10.0.0.1/")
        is None
    )


def test_every_dropped_link_has_a_reason_that_can_be_explained():
    urls = [
        "javascript:;",
        "http://a..b/",
        "http://a.b:99999/",
        SHOP + "a\0b",
        SHOP + "x" * 50_000,
        "http://10.0.0.1/",
        "http://else.org/",
        SHOP,
        SHOP + "a.zip",
    ]
    seen = chosen(Scope([SHOP]), *urls)
    assert seen.pages == ()
    assert [link.url for link, _ in seen.reasons] == urls
    words = [word for _, word in seen.reasons]
    assert words == [
        "scheme",
        "malformed",
        "port",
        "characters",
        "length",
        "private",
        "scope",
        "duplicate",
        "extension",
    ]
    assert set(words) <= set(REASONS)
    assert seen.dropped == dict.fromkeys(words, 1)


def test_a_very_long_data_url_is_dropped_for_its_scheme():
    assert reason(Scope([SHOP]), "data:text/html," + "x" * 50_000) == "scheme"


def test_where_a_redirect_leads_must_be_in_bounds():
    scope = Scope([SHOP], allow=[r"/catalogue/"], deny=[r"/login"])
    entry = scope.entry(SHOP)
    book = scope.entry(SHOP + "catalogue/1")
    book = type(book)(book.url, 1, book.key)
    assert scope.refuses(SHOP, entry) is None, (
        "it matches no allow, but it is where the crawl starts"
    )
    assert scope.refuses(SHOP + "home", entry) is None
    assert scope.refuses(book.url + "#x", book) is None
    assert scope.refuses(SHOP + "catalogue/2", book) is None
    assert scope.refuses(SHOP + "about", book) == "allow"
    assert scope.refuses(SHOP + "login?to=1", book) == "deny"
    assert scope.refuses("http://elsewhere.org/catalogue/", book) == "scope"
    assert scope.refuses("http://127.0.0.1/catalogue/", book) == "private"
    assert scope.refuses("chrome-error://chromewebdata/", book) == "scheme"
    assert scope.refuses(SHOP + "catalogue/a.pdf", book) is None, (
        "what arrived as a page is one, whatever it is called"
    )
    assert scope.refuses(SHOP + "catalogue/2") is None


def test_one_host_needs_no_lanes():
    assert Scope([SHOP]).one_host
    assert Scope([SHOP, "http://www.shop.example.com/x"]).one_host
    assert not Scope([SHOP, "http://other.org/"]).one_host
    assert not Scope([SHOP], "same-domain").one_host
    assert not Scope([SHOP], allow=["cdn.org"]).one_host
    assert Scope([SHOP], lanes=False).entry(SHOP).lane == ""


def test_a_chooser_keeps_some_with_a_priority_and_may_add_others():
    scope = Scope([SHOP])

    def keep(links):
        assert [link.url for link in links] == [SHOP + "a", SHOP + "b"]
        return [
            (links[1], Priority.HIGH),
            (links[1], Priority.LOW),
            (Link(SHOP + "new"), Priority.LOW),
            (Link("http://elsewhere.org/"), Priority.HIGH),
        ]

    seen = chosen(scope, SHOP + "a", SHOP + "b", keep=keep)
    assert [(page.url, page.priority) for page in seen.pages] == [
        (SHOP + "b", Priority.HIGH),
        (SHOP + "new", Priority.LOW),
    ]
    assert seen.dropped == {"scope": 1, "filter": 1}


@pytest.mark.soak
def test_a_page_with_a_hundred_thousand_links_is_done_in_seconds():
    scope, links = (
        Scope([SHOP]),
        [Link(f"{SHOP}books/{number}?page={number % 7}") for number in range(100_000)],
    )
    began = time.process_time()
    assert len(scope.choose(scope.entry(SHOP), links).pages) == 100_000
    assert time.process_time() - began < 30


def test_links_that_were_seen_before_cost_little():
    scope, links = Scope([SHOP]), [Link(f"{SHOP}books/{number}") for number in range(1_000)]
    entry = scope.entry(SHOP)
    scope.choose(entry, links)
    began = time.process_time()
    for _ in range(10):
        scope.choose(entry, links)
    assert (time.process_time() - began) / 10 < 0.05, "measured: 0.003 s"
