"""A crawl as its author writes it, in Python or TOML, and what becomes of a reference to one."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from crawler import (
    Crawl,
    DefinitionError,
    Link,
    Page,
    Priority,
    Response,
    SetupError,
    UnknownCrawl,
    load,
)
from crawler.definition.bounds import entry_pages, scope_of
from crawler.definition.browser_profile import PROXY_PAGES, profile_of
from crawler.definition.choosing import choose
from crawler.definition.crawl_plan import definition_of, plan_of, policy_of
from crawler.definition.digest import digest_of
from crawler.definition.extraction import extract_by_table, needs_html
from crawler.definition.fields import Fields
from crawler.definition.loading import load_all, module_path, stored
from crawler.definition.network import guard_of
from crawler.model import Policy

SHOP = "https://books.toscrape.com/"


def shop(**fields) -> Crawl:
    return Crawl(**{"name": "books", "url": SHOP, **fields})


def faults(crawl: Crawl) -> dict[str, str]:
    with pytest.raises(DefinitionError) as caught:
        crawl.validate()
    return {fault.field: fault.what for fault in caught.value.faults}


def chosen(crawl: Crawl, *urls: str, depth: int = 0, **options):
    page = dataclasses.replace(scope_of(crawl).entry(SHOP), depth=depth)
    return choose(crawl, page, [Link(url) for url in urls], **options)


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return str(path)


# What an author writes


def test_a_crawl_has_the_values_of_its_author_and_defaults():
    crawl = shop(concurrency_limit=8, delay=1, deny=r"/reviews/")
    crawl.validate()
    assert (crawl.name, crawl.url, crawl.concurrency_limit, crawl.delay) == (
        "books",
        (SHOP,),
        8,
        1.0,
    )
    assert (crawl.depth_limit, crawl.robots, crawl.accept_status, crawl.deny) == (
        3,
        True,
        (),
        (r"/reviews/",),
    )
    assert policy_of(crawl) == Policy(concurrency_limit=8, delay=1.0)
    with pytest.raises(AttributeError):
        _ = crawl.colour


def test_whatever_the_frontier_enforces_its_author_may_set_with_the_same_default():
    assert {field.name for field in dataclasses.fields(Policy)} <= set(Fields.model_fields)
    assert policy_of(shop()) == Policy()


def test_every_field_is_described_and_its_example_is_right():
    for name, field in Fields.model_fields.items():
        assert field.description, name
        given = eval(f"dict({field.examples[0]})")  # noqa: S307 -- our own examples
        assert list(given) == [name]
        beside = {"fetch": "http"} if name == "conditional" else {}  # for such pages only
        shop(**beside, **given).validate()


def test_a_decorator_gives_back_the_function_as_it_was():
    crawl = shop()

    def book(page):
        return page

    assert crawl.extract(book) is book
    assert crawl.after(book) is book
    assert crawl.hooks == {"extract": book, "after": book}
    crawl.validate()


def test_a_hook_added_after_a_look_counts():
    crawl = shop()
    before = digest_of(crawl)
    crawl.filter(lambda nonsense: nonsense)
    assert "filter" in faults(crawl)
    crawl = shop()
    crawl.filter(lambda link: link)
    assert digest_of(crawl) != before


def test_making_a_crawl_never_fails_and_validate_tells_all_faults():
    crawl = Crawl(
        name="my books",
        url=["books.toscrape.com", "http://a..b/"],
        concurency_limit=3,
        delay="fast",
        attempts=0,
        page_limit=True,
        time_limit=float("nan"),
        scope="same_host",
        deny=["[", "logout.php"],
        accept_status=[20],
        load_strategy="lazy",
        extract={"title": "h1::foo"},
        restrict_css="a[",
        private_hosts=["a b"],
    )

    @crawl.after
    def save(resutl): ...

    @crawl.filter
    async def wanted(link): ...

    found = faults(crawl)
    assert found.keys() == {
        *(
            "name",
            "url[0]",
            "url[1]",
            "concurency_limit",
            "delay",
            "attempts",
            "page_limit",
            "time_limit",
            "scope",
            "deny[0]",
            "deny",
        ),
        *(
            "accept_status[0]",
            "load_strategy",
            "extract.title",
            "restrict_css",
            "private_hosts[0]",
            "after",
            "filter",
        ),
    }
    assert found["url[0]"] == "'books.toscrape.com' has no http:// or https:// in front"
    assert (
        found["concurency_limit"]
        == "no field of a crawl has this name; did you mean concurrency_limit?"
    )
    assert found["delay"] == "'fast' is no number"
    assert found["attempts"] == "0 is too small, at least 1"
    assert "did you mean 'same-host'" in found["scope"]
    assert "did you mean 'result'" in found["after"]
    assert r"reads as a hostname" in found["deny"]


def test_each_fault_comes_with_an_example():
    with pytest.raises(DefinitionError) as caught:
        shop(delay=-1, url="ftp://a.b/").validate()
    assert (
        str(caught.value)
        == "crawl 'books': url: 'ftp://a.b/' is neither http nor https (for example:"
        ' url="https://books.toscrape.com/"); delay: -1 is too small, at least 0 (for example:'
        " delay=0.5)"
    )


#: Fields with one wrong value each.
WRONG_VALUES = [
    {"name": ""}, {"name": "a" * 65}, {"name": "a{b}"}, {"name": "a:b"}, {"name": 3},
    {"name": "a\n"}, {"url": []}, {"url": None}, {"url": 3}, {"url": ""},
    {"url": "javascript:alert(1)"}, {"url": "http://a.b:99999/"}, {"url": "http://" + "a" * 3_000},
    {"url": "http://\ud800/"}, {"concurrency_limit": 0}, {"concurrency_limit": 10_001},
    {"concurrency_limit": "4"}, {"concurrency_limit": 1.5}, {"depth_limit": -1},
    {"delay": float("inf")}, {"delay": True}, {"delay": None}, {"jitter": 1},
    {"page_limit_counts": "queued"}, {"extract": "h1"}, {"extract": {"a": 3}},
    {"extract": {3: "h1"}}, {"allow": [""]}, {"allow": [3]}, {"allow": re.compile(b"x")},
    {"allow": {"a": "b"}}, {"scope": None}, {"scope": ["all"]},
    {"scope": lambda nonsense: nonsense}, {"window": [1, 2, 3]}, {"window": [0, 5]},
    {"accept_status": 404}, {"deny_extensions": [3]},
]  # fmt: skip


@pytest.mark.parametrize("fields", WRONG_VALUES)
def test_a_wrong_value_is_one_fault_and_no_crash(fields):
    assert len(faults(shop(**fields))) == 1


def test_nothing_given_is_two_faults():
    assert faults(Crawl()) == {"name": "is missing", "url": "is missing"}


def test_a_second_hook_or_one_beside_a_table_is_a_fault():
    crawl = shop(extract={"title": "h1"})

    @crawl.extract
    def one(page): ...

    @crawl.extract
    def two(page): ...

    with pytest.raises(DefinitionError) as caught:
        crawl.validate()
    assert [fault.field for fault in caught.value.faults] == ["extract", "extract"]
    assert "two hooks" in str(caught.value)
    assert "both as a table and as a hook" in str(caught.value)


def test_no_limit_can_be_said_in_a_word_for_formats_without_null():
    assert shop(depth_limit="none").depth_limit is None
    assert shop(depth_limit=None).depth_limit is None


# What it makes of pages


def test_entries_are_at_depth_0_each_once_and_in_order():
    crawl = shop(url=["http://a.org/b", "http://a.org/a#x", "http://a.org/b?utm_source=mail"])
    assert [(page.url, page.depth, page.lane) for page in entry_pages(crawl)] == [
        ("http://a.org/b", 0, ""),
        ("http://a.org/a", 0, ""),
    ]


def test_one_host_has_one_lane_and_several_have_one_each():
    assert entry_pages(shop())[0].lane == ""
    assert entry_pages(shop(scope="all"))[0].lane == "books.toscrape.com"
    assert entry_pages(shop(scope="all", robots=False, breaker_failures=0))[0].lane == ""
    assert (
        entry_pages(shop(scope="all", robots=False, breaker_failures=0, host_concurrency=1))[0].lane
        == "books.toscrape.com"
    )


def test_a_link_too_deep_is_dropped_and_said():
    seen = chosen(shop(depth_limit=2), SHOP + "a", depth=2, explain=True)
    assert seen.pages == ()
    assert seen.dropped == {"depth": 1}
    assert seen.reasons == ((Link(SHOP + "a"), "depth"),)
    assert [page.depth for page in chosen(shop(depth_limit=2), SHOP + "a", depth=1).pages] == [2]
    assert len(chosen(shop(depth_limit=None), SHOP + "a", depth=10_000).pages) == 1
    assert chosen(shop(depth_limit=0), SHOP + "a").pages == ()


def test_a_filter_of_link_says_yes_or_no_or_a_priority():
    crawl = shop()

    @crawl.filter
    def wanted(link, page, crawl):
        assert (page.depth, crawl.name) == (0, "books")
        return {"a": True, "b": Priority.HIGH, "c": Priority.LOW}.get(link.url[-1])

    seen = chosen(crawl, *(SHOP + letter for letter in "abcd"))
    assert [(page.url[-1], page.priority) for page in seen.pages] == [
        ("a", Priority.NORMAL),
        ("b", Priority.HIGH),
        ("c", Priority.LOW),
    ]
    assert seen.dropped == {"filter": 1}


def test_a_filter_that_asks_for_links_returns_those_to_keep():
    crawl = shop()

    @crawl.filter
    def wanted(links):
        yield links[0]
        yield links[1].url
        yield links[2], Priority.HIGH
        yield SHOP + "new", Priority.LOW

    seen = chosen(crawl, *(SHOP + letter for letter in "abcd"))
    assert [(page.url, page.priority) for page in seen.pages] == [
        (SHOP + "a", Priority.NORMAL),
        (SHOP + "b", Priority.NORMAL),
        (SHOP + "c", Priority.HIGH),
        (SHOP + "new", Priority.LOW),
    ]


@pytest.mark.parametrize("answer", [None, 3, "http://a.org/", [3], [("a",)], {"a": 1}])
def test_a_filter_that_returns_no_links_is_told_so(answer):
    crawl = shop()

    @crawl.filter
    def wanted(links):
        return links and answer

    with pytest.raises(TypeError, match=r"the filter hook .*wanted"):
        chosen(crawl, SHOP + "a")


def test_whoever_has_more_for_a_filter_calls_it():
    crawl = shop()
    crawl.filter(lambda link, response: link.url == response)
    seen = chosen(
        crawl,
        SHOP + "a",
        SHOP + "b",
        keep=lambda link, links: crawl.hooks["filter"](link, links[1].url),
    )
    assert [page.url for page in seen.pages] == [SHOP + "b"]


def test_links_outside_of_a_region_are_dropped():
    html = '<nav><a href="/all">All</a></nav><main><a href="b/../Caf%c3%A9#x">Café</a></main>'
    response = Response(SHOP, 200, html=html)
    crawl = shop(restrict_css="main")
    assert needs_html(crawl)
    seen = chosen(
        crawl,
        SHOP + "all",
        SHOP + "Caf%C3%A9#x",
        "mailto:bob@a.org",
        response=response,
        explain=True,
    )
    assert [page.url for page in seen.pages] == [SHOP + "Caf%C3%A9"]
    assert seen.dropped == {"restrict": 1, "scheme": 1}


def test_a_page_that_says_nofollow_is_obeyed_if_its_author_says_so():
    response = Response(SHOP, 200, html='<meta name="robots" content="nofollow">')
    assert chosen(shop(), SHOP + "a", response=response).dropped == {}
    assert chosen(shop(nofollow=True), SHOP + "a", response=response).dropped == {"nofollow": 1}


def test_a_crawl_without_an_extract_takes_title_description_and_canonical_link():
    html = (
        '<title> Books </title><meta name="description" content="All of them"><link rel="canonical"'
        ' href="/">'
    )
    assert extract_by_table(shop(), Response(SHOP, html=html)).data == {
        "title": "Books",
        "description": "All of them",
        "canonical": "/",
    }
    assert extract_by_table(
        shop(extract={"h": ["h1"]}), Response(SHOP, html="<h1>a</h1><h1>b</h1>")
    ).data == {"h": ["a", "b"]}
    assert extract_by_table(shop(extract={"h": "h1"}), Response(SHOP)).data == {"h": None}


def test_html_is_asked_for_where_somebody_reads_it():
    assert needs_html(shop()), "the default extract does"
    crawl = shop()
    crawl.extract(lambda page: page.text("h1"))
    crawl.after(lambda result: None)  # noqa: ARG005
    assert not needs_html(crawl)
    crawl.filter(lambda link, response: link and response)
    assert needs_html(crawl)
    assert needs_html(shop(keep_html=True))


def test_where_a_redirect_leads_is_judged():
    crawl = shop()
    assert scope_of(crawl).refuses(SHOP + "home", entry_pages(crawl)[0]) is None
    assert scope_of(crawl).refuses("https://else.org/") == "scope"
    assert guard_of(crawl, resolve=lambda _host: ["10.0.0.1"]).refuses("else.org")


# What travels


def test_a_crawl_without_code_travels_as_json():
    crawl = shop(
        scope="all",
        deny=[re.compile("/Reviews/", re.I)],
        depth_limit=None,
        window=[800, 600],
        extract={"tags": ["a.tag"]},
    )
    there = Crawl(**json.loads(json.dumps(plan_of(crawl).definition)))
    assert not crawl.has_code
    assert policy_of(there) == policy_of(crawl)
    assert digest_of(there) == digest_of(crawl)
    assert chosen(there, SHOP + "REVIEWS/").dropped == {"deny": 1}
    assert definition_of(there) == definition_of(crawl)


def test_a_crawl_with_code_does_not():
    crawl = shop()
    crawl.before_all(lambda browser: browser)
    plan = plan_of(crawl)
    assert crawl.has_code
    assert (plan.name, plan.definition, plan.before_all) == ("books", None, True)
    assert plan_of(shop()).before_all is False
    assert shop(scope=lambda url: bool(url)).has_code


def test_a_digest_tells_versions_apart_but_no_spelled_out_default():
    assert digest_of(shop()) == digest_of(shop(depth_limit=3)) == digest_of(shop(url=[SHOP]))
    assert (
        len(
            {
                digest_of(shop()),
                digest_of(shop(delay=1)),
                digest_of(shop(scope=lambda url: url)),
                digest_of(shop(scope=lambda link: link)),
            }
        )
        == 4
    )


def test_a_digest_is_the_same_in_every_process(tmp_path):
    path = write(
        tmp_path,
        "books.py",
        """
        import functools
        from crawler import Crawl
        books = Crawl(
            name="books",
            url="https://a.org/",
            allow={"b.org", "c.org", "d.org"},
            scope=lambda url: "x" in url,
        )
        @books.extract
        def book(page):
            return {"title": page.text("h1"), **{name: 1 for name in {"a", "b"}}}
        books.after(functools.partial(lambda factor, result: None, 3))
        made = {}
        exec("def made_up(result): return [x for x in {1, 2}]", made)
        books.start(eval("lambda ticket: (lambda: ticket)"))
        """,
    )
    code = (
        "from crawler import load; from crawler.definition.digest import digest_of;"
        f" print(digest_of(load({path!r})))"
    )
    digests = {
        subprocess.check_output(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, text=True
        )
        for seed in "123"
    }
    assert len(digests) == 1
    assert digest_of(load(path)) in digests.pop()


def test_another_value_makes_another_crawl_with_the_same_hooks():
    crawl = shop()
    crawl.after(lambda result: result)
    other = crawl.replace(delay=2)
    assert (crawl.delay, other.delay, other.hooks) == (0.0, 2.0, crawl.hooks)


# References


def test_a_url_is_a_crawl_named_after_its_host():
    for url, name in {
        SHOP: "books.toscrape.com",
        "http://localhost:8080/a": "localhost_8080",
        "HTTPS://bücher.example": "xn--bcher-kva.example",
        "http://[::1]:81/": "--1_81",
    }.items():
        crawl = load(url)
        crawl.validate()
        assert crawl.name == name
    load("http://" + "a" * 60 + ".example.com/").validate()
    assert "url" in faults(load("http://a..b/"))


def test_a_file_with_one_crawl_needs_no_name(tmp_path):
    write(tmp_path, "helping_the_books.py", "NAME = 'books'")
    path = write(
        tmp_path,
        "one_crawl.py",
        """
        from crawler import Crawl
        from helping_the_books import NAME
        shop = also = Crawl(name=NAME, url="https://a.org/")
        """,
    )
    assert load(path).name == "books"
    assert load(path) is load(f"{path}:shop"), "imported once"
    assert load_all([path, f"{path}:also"]).keys() == {"books"}


def test_a_file_with_several_crawls_lists_them(tmp_path):
    path = write(
        tmp_path,
        "two_crawls.py",
        """
        from crawler import Crawl
        one = Crawl(name="one", url="https://a.org/")
        two = Crawl(name="two", url="https://a.org/")
        """,
    )
    with pytest.raises(SetupError, match=rf"several crawls; say which: {path}:one, {path}:two"):
        load(path)
    assert load(f"{path}:two").name == "two"
    assert load_all([path]).keys() == {"one", "two"}
    with pytest.raises(SetupError, match=r"no crawl called three; it holds: one, two"):
        load(f"{path}:three")


def test_a_module_is_found_from_the_folder_one_is_in(tmp_path, monkeypatch):
    write(tmp_path, "a_shop/__init__.py", "")
    write(
        tmp_path,
        "a_shop/crawls.py",
        'from crawler import Crawl\nbooks = Crawl(name="books", url="https://a.org/")',
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    assert load("a_shop.crawls:books").name == "books"
    assert load("a_shop.crawls") is load_all(["a_shop.crawls"])["books"]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            "import no_such_module_at_all",
            (
                r"ModuleNotFoundError: No module named 'no_such_module_at_all' \(line 1 of"
                r" .*broken.py\)"
            ),
        ),
        ("x = 1\n1 / 0", r"ZeroDivisionError: division by zero \(line 2 of .*broken.py\)"),
        ("def x(:", r"SyntaxError: .*\(line 1 of .*broken.py\)"),
        ("raise SystemExit(3)", r"SystemExit: 3 \(line 1 of .*broken.py\)"),
        ("x = 1", "holds no crawl"),
    ],
)
def test_a_file_that_does_not_import_says_why_in_one_line(tmp_path, text, cause):
    path = write(tmp_path, "broken.py", text)
    with pytest.raises(SetupError, match=cause) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(SetupError, match=cause):
        load_all([path])


@pytest.mark.parametrize(
    ("reference", "mend"),
    [
        ("nowhere.py", "there is no file nowhere.py"),
        ("nowhere.toml", "there is no file nowhere.toml"),
        ("no_such_package.crawls:books", "there is no module no_such_package.crawls"),
        ("toscrape.com", "for a site, write https://toscrape.com"),
        ("here", "did you mean here.py"),
        ("ftp://a.org/", "is no reference to a crawl"),
        ("", "is no reference to a crawl"),
        (".", "is no reference to a crawl"),
        ("a b", "is no reference to a crawl"),
    ],
)
def test_a_reference_to_nothing_says_how_to_mend_it(tmp_path, monkeypatch, reference, mend):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    write(tmp_path, "here.py", "")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry] + ["/nowhere"])
    sys.modules.pop("here", None)
    if reference == "here":
        monkeypatch.setattr("crawler.definition.loading.importlib.import_module", _absent)
    with pytest.raises(SetupError, match=re.escape(mend)):
        load(reference)


def _absent(name: str):
    raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_a_toml_file_says_the_same_without_code(tmp_path):
    path = write(
        tmp_path,
        "books.toml",
        """
        url = "https://books.toscrape.com/"
        concurrency_limit = 4
        depth_limit = "none"
        delay = 0.5
        deny = ['/reviews/']
        scope = "same-domain"

        [extract]
        title = "h1"
        tags = ["a.tag"]
        rows = ["tr", {name = "td"}]
        cells = [{select = "td", name = "::text", price = {select = ".price", type = "number"}}]
        """,
    )
    crawl = load(path)
    crawl.validate()
    assert (crawl.name, crawl.depth_limit, crawl.delay, crawl.has_code) == (
        "books",
        None,
        0.5,
        False,
    )
    html = "<h1>A</h1><table><tr><td>x<b class=price>1,50 €</b></table>"
    assert extract_by_table(crawl, Response(SHOP, html=html)).data == {
        "title": "A",
        "tags": [],
        "rows": [{"name": "x1,50 €"}],
        "cells": [{"name": "x", "price": 1.5}],
    }
    assert digest_of(load_all([path])["books"]) == digest_of(crawl)


def test_faults_of_tables_in_toml_have_their_places(tmp_path):
    path = write(
        tmp_path,
        "books.toml",
        """
        url = "https://books.toscrape.com/"

        [[extract]]
        select = ".card"
        price = {select = ".price", type = "money"}
        delay = "i"
        parts = [{select = "li", name = "b["}]
        """,
    )
    with pytest.raises(DefinitionError) as caught:
        load(path).validate()
    assert [fault.field for fault in caught.value.faults] == ["extract[0].delay"]
    Path(path).write_text(Path(path).read_text().replace("delay =", "late ="))
    assert faults(load(path)).keys() == {"extract[0].price.type", "extract[0].parts[0].name"}


def test_a_message_is_nested_in_bounds():
    message: list = []
    for _ in range(31):
        message = [message]
    Crawl(name="a", url=SHOP, message=message).validate()
    for _ in range(5_000):
        message = [message]
    own: dict = {}
    own["self"] = own
    for deep in (message, own):
        with pytest.raises(DefinitionError, match="message: is nested more than 32 levels deep"):
            Crawl(name="a", url=SHOP, message=deep).validate()


def test_a_toml_file_with_a_mistake_says_where(tmp_path):
    with pytest.raises(DefinitionError, match=r"bad.toml: is no TOML: Invalid value"):
        load(write(tmp_path, "bad.toml", "url = "))
    with pytest.raises(DefinitionError, match=r"deep.toml: is no TOML: maximum recursion depth"):
        load(write(tmp_path, "deep.toml", f"message = {'[' * 5_000}{']' * 5_000}"))
    assert "colour" in faults(
        load(write(tmp_path, "odd.toml", 'url = "https://a.org/"\ncolour = 3'))
    )


@pytest.mark.parametrize(
    ("table", "where"),
    [
        ('[extract]\ntitle = "h1"\nwait_for = "#results"', "extract.wait_for"),
        ('[extract.price]\namount = "b"\ndelay = 0.5', "extract.price.delay"),
        ('[extract]\nrows = ["tr", {cell = "td", delay = "i"}]', "extract.rows[1].delay"),
        ('[headers]\nX-Crawler = "me"\nuser_agent = "Mine/1.0"', "headers.user_agent"),
        ('[headers]\nproxy = "http://me:canary@10.0.0.1:3128"', "headers.proxy"),
        ('[[steps]]\nclick = "#more"\nwait_for = "#results"', "steps[0].wait_for"),
        ("[message]\nshop = 7\npage_limit = 3", "message.page_limit"),
        ('[login]\nurl = "https://a.org/"\nsubmit = "a"\nrobots = false', "login.robots"),
        ('[basic_auth]\n"a.org" = "me:pw"\nproxy = "http://me:canary@b:1"', "basic_auth.proxy"),
    ],
)
def test_a_field_below_a_table_of_a_toml_file_is_a_fault(tmp_path, table, where):
    # Given a file whose author wrote a field at its end, below a table
    path = write(tmp_path, "late.toml", f'url = "https://a.org/"\ncolour = 3\n{table}\n')
    # When it is loaded
    with pytest.raises(DefinitionError) as caught:
        load(path)
    # Then the fault says where the field belongs, beside the other faults, and shows no password
    found = {fault.field: str(fault) for fault in caught.value.faults}
    assert "above the first table" in found[where]
    assert "colour" in found
    assert "canary" not in str(caught.value)


def test_a_table_of_a_toml_file_may_use_its_own_words(tmp_path):
    text = """
    url = "https://a.org/"
    [[steps]]
    scroll = true
    [extract]
    name = "h1"
    url = "link::attr(href)"
    [message]
    name = "x"
    """
    load(write(tmp_path, "fine.toml", text)).validate()


@pytest.mark.parametrize(
    "value",
    [
        "http://me:canary@10.0.0.1:3128",
        "Bearer canary-canary",
        "Basic bWU6Y2FuYXJ5",
        "ghp_canarycanarycanary",
        "eyJhbGciOiJub25l.eyJjYW5hcnkiOjF9.canary",
        "sk_live_canarycanary",
        "https://example.com/why?token=canary",
    ],
)
def test_credentials_are_refused_where_they_would_travel_in_clear(value):
    for fields in ({"headers": {"X-Mine": value}}, {"message": {"shop": [{"by": value}]}}):
        found = faults(Crawl(name="a", url=SHOP, **fields))
        assert list(found) == list(fields)
        assert "looks like credentials" in str(found)
        assert value not in str(found)
    fine = {"X-Crawler": "https://example.com/why?by=me@example.com", "X-Token-Of": "basic"}
    Crawl(name="a", url=SHOP, headers=fine, message={"token": 7, "of": "a:b"}).validate()


@pytest.mark.parametrize("name", ["password", "X-Api-Key", "shop_token", "dbPassword"])
def test_a_name_of_credentials_is_refused_where_they_would_travel_in_clear(name):
    for fields in ({"headers": {name: "canary"}}, {"message": {"shop": [{name: "canary"}]}}):
        found = faults(Crawl(name="a", url=SHOP, **fields))
        assert list(found) == list(fields)
        assert "canary" not in str(found)
    Crawl(name="a", url=SHOP, message={name: "$CRAWLER_SECRET_SHOP", "max_tokens": "5"}).validate()


def test_fields_can_be_changed_on_the_way_unless_there_is_code(tmp_path):
    crawl = load(
        SHOP, ["delay=0.5", "scope=all", 'allow=["a.org"]', "depth_limit=none", "robots=false"]
    )
    crawl.validate()
    assert (crawl.delay, crawl.scope, crawl.allow, crawl.depth_limit, crawl.robots) == (
        0.5,
        "all",
        ("a.org",),
        None,
        False,
    )
    with pytest.raises(DefinitionError, match="is no change of a field"):
        load(SHOP, ["delay"])
    text = (
        'from crawler import Crawl\nc = Crawl(name="c", url="https://a.org/")\nc.after(lambda'
        " result: None)"
    )
    with pytest.raises(SetupError, match="has code"):
        load(write(tmp_path, "with_code.py", text), ["delay=1"])


def test_two_crawls_with_one_name_are_refused(tmp_path):
    text = 'from crawler import Crawl\nc = Crawl(name="same", url="https://a.org/")'
    paths = [write(tmp_path, name, text) for name in ("first.py", "second.py")]
    with pytest.raises(
        DefinitionError, match=r"name: is taken twice, in .*first.py and in .*second.py"
    ):
        load_all(paths)


def test_a_worker_refuses_a_crawl_that_is_wrong(tmp_path):
    with pytest.raises(DefinitionError, match="url: is missing"):
        load_all([write(tmp_path, "wrong.py", 'from crawler import Crawl\nc = Crawl(name="c")')])


def test_a_path_is_made_absolute_for_a_worker_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert module_path("books.py:a") == f"{tmp_path.resolve()}/books.py:a"
    assert module_path("x/books.toml") == f"{tmp_path.resolve()}/x/books.toml"
    assert module_path("shop.crawls:a") == "shop.crawls:a"


def test_importing_the_library_brings_no_browser_no_redis_and_no_celery():
    code = (
        "import sys, crawler; crawler.Crawl(name='a',"
        " url='http://a.org/').validate();print({'selenium', 'redis', 'celery', 'kombu', 'parsel',"
        " 'tldextract', 'requests'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def test_a_page_that_was_not_made_by_this_crawl_is_no_problem():
    assert [page.depth for page in choose(shop(), Page(SHOP), [Link(SHOP + "a")]).pages] == [1]


# Variants


def test_a_variant_is_stored_as_its_changes_and_made_from_the_code():
    books = Crawl(name="books", url=SHOP, page_limit=100)
    books.extract(lambda page: {"title": page.title})
    night = books.variant(name="night", page_limit=5).variant(message={"shop": [7, True, None]})
    plan = plan_of(night)
    assert (plan.name, plan.base) == ("night", "books")
    assert json.loads(json.dumps(plan.definition)) == {
        "name": "night",
        "page_limit": 5,
        "message": {"shop": [7, True, None]},
    }
    again = stored(plan, {"books": books})
    assert (again.name, digest_of(again), again.hooks, again.message) == (
        "night",
        digest_of(night),
        books.hooks,
        {"shop": [7, True, None]},
    )
    with pytest.raises(UnknownCrawl, match="no crawl is named 'books'"):
        stored(plan, {})


def test_a_variant_of_a_crawl_without_code_needs_nobody_who_knows_it():
    plan = plan_of(Crawl(name="books", url=SHOP).variant(name="night", delay=2.0))
    assert plan.base is None
    assert stored(plan, {}).delay == 2.0


@pytest.mark.parametrize(
    ("message", "what"),
    [
        ({1, 2}, "is no JSON"),
        (float("inf"), "is no JSON"),
        ("x" * 70_000, "at most 65,536 are kept"),
    ],
)
def test_a_message_is_json_and_not_too_large(message, what):
    with pytest.raises(DefinitionError, match=what):
        Crawl(name="a", url=SHOP, message=message).validate()


def test_a_public_only_crawl_may_not_start_at_a_private_address():
    assert not guard_of(Crawl(name="a", url="http://10.0.0.1/")).refuses("10.0.0.1")
    assert guard_of(Crawl(name="a", url="http://10.0.0.1/", public_only=True)).refuses("10.0.0.1")
    trusted = Crawl(name="a", url="http://10.0.0.1/", public_only=True, private_hosts=["10.0.0.1"])
    assert not guard_of(trusted).refuses("10.0.0.1")


def test_a_crawl_with_proxies_asks_for_sessions_that_last_less_long():
    crawl = {"name": "shop", "url": "https://shop.example/"}
    assert profile_of(Crawl(**crawl)).pages is None
    assert profile_of(Crawl(**crawl, proxy=["http://proxy.example"])).pages == PROXY_PAGES
