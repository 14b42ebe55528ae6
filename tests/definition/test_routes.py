"""Routes as their author writes them, in Python, TOML or JSON: which pages they take, what these
pages see of the crawl, and what is wrong with a route.
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from crawler import Crawl, DefinitionError, Link, Page, Priority, Response, load
from crawler.cli import main
from crawler.definition.bounds import scope_of
from crawler.definition.browser_profile import profile_of, visit_of
from crawler.definition.choosing import choose
from crawler.definition.crawl_plan import definition_of, plan_of
from crawler.definition.credentials import secrets_of
from crawler.definition.digest import digest_of
from crawler.definition.extraction import extract_by_table, needs_html
from crawler.definition.loading import stored
from crawler.definition.pattern_texts import is_within
from crawler.definition.route_checks import route_warnings
from crawler.definition.route_options import OPTIONS
from crawler.definition.routes import route_of, routed, view_of

SETTINGS = Path(__file__).parents[2] / "docs" / "settings.md"
SHOP = "https://shop.example"
BOOK = {"match": r"/books/\d+", "links": False, "wait_for": ".price", "extract": {"title": "h1"}}
SHELF = {"match": "/shelf/", "extract": {"shelf": "h1"}, "priority": "high"}


def shop(**fields) -> Crawl:
    return Crawl(**{"name": "shop", "url": f"{SHOP}/", **fields})


def page(path: str, **facts) -> Page:
    return replace(scope_of(shop()).entry(SHOP + path), **facts)


def taken(crawl: Crawl, path: str, **facts) -> str:
    return routed(crawl, page(path, **facts)).route


def warnings_of(crawl: Crawl) -> list[str]:
    return list(route_warnings(crawl.routes, crawl.fields, follows=crawl.follows))


def faults(crawl: Crawl) -> dict[str, str]:
    with pytest.raises(DefinitionError) as caught:
        crawl.validate()
    return {fault.field: fault.what for fault in caught.value.faults}


def led(**given: object) -> None:
    """A hook that may follow links to any route."""
    assert given


def seen(page) -> object:
    """A hook for a page."""
    return page.depth


# Which pages they take


def test_the_first_route_that_matches_takes_a_page():
    crawl = shop()
    crawl.route("book", match=[r"/books/\d+", re.compile("/LIVRE/", re.IGNORECASE)])
    crawl.route("books", match="/books/")
    crawl.route("query", match=r"\?page=\d+$")
    crawl.route("word", match="/bücher/")
    crawl.route("named", extract={"title": "h1"})
    crawl.after(led)  # which may follow links to it

    assert taken(crawl, "/books/12") == "book"
    assert taken(crawl, "/livre/12") == "book"
    assert taken(crawl, "/books/") == "books"
    assert taken(crawl, "/list?page=2") == "query"
    assert taken(crawl, "/bücher/") == "word"
    assert taken(crawl, "/about") == ""
    assert taken(crawl, "/books/12", route="named") == "named"
    assert taken(crawl, "/books/12", route="of another version") == "book"
    assert taken(crawl, "/about", route="of another version") == ""
    # the host is no part of what is searched
    assert route_of(shop(routes={"x": {"match": "shop"}}), page("/")) is None


def test_a_page_sees_the_crawl_with_the_options_of_its_route():
    crawl = shop(wait_for="main", screenshot="page", extract={"any": "title"})

    @crawl.before
    def prepare(page): ...

    @crawl.route("book", match="/books/", wait_for=".price", accept_status=[404], links="main")
    def book(page, response): ...

    crawl.route("shelf", match="/shelf/", extract={"shelf": "h1"}, before=seen)
    crawl.route("plain", match="/plain/", screenshot=None)

    assert view_of(crawl, page("/about")) is crawl
    view = view_of(crawl, page("/books/1"))
    assert view is view_of(crawl, page("/books/2"))  # made once
    assert view.hooks == {"before": prepare, "extract": book}
    assert view.fields.extract is None
    assert (view.wait_for, view.accept_status, view.restrict_css) == (
        (".price",),
        (404,),
        ("main",),
    )
    assert (visit_of(view).wait_for, visit_of(crawl).wait_for) == ((".price",), ("main",))
    assert needs_html(view)
    assert scope_of(view) is scope_of(crawl)
    view = view_of(crawl, page("/shelf/"))
    assert set(view.hooks) == {"before"}
    assert view.hooks["before"] is not prepare
    assert extract_by_table(view, Response(SHOP, html="<h1>A</h1>")).data == {"shelf": "A"}
    view = view_of(crawl, page("/plain/"))
    assert (view.screenshot, view.hooks, view.fields.extract) == (
        None,
        {"before": prepare},
        {"any": "title"},
    )


def test_where_a_route_says_what_items_are_other_pages_have_none():
    html = Response(SHOP, html="<head><title>A</title></head><h1>B</h1>")
    crawl = shop(routes={"list": {"match": "/list/"}, "book": BOOK})
    assert extract_by_table(crawl, html).data is None
    assert extract_by_table(view_of(crawl, page("/list/")), html).data is None
    assert extract_by_table(view_of(crawl, page("/books/1")), html).data == {"title": "B"}
    # nothing says so here, and the crawl itself does there
    crawl = shop(routes={"list": {"match": "/list/"}})
    assert extract_by_table(view_of(crawl, page("/list/")), html).data["title"] == "A"
    crawl = shop(extract={"x": "h1"}, routes={"list": {"match": "/list/"}, "book": BOOK})
    assert extract_by_table(view_of(crawl, page("/list/")), html).data == {"x": "B"}


def test_a_route_says_which_links_are_followed_and_how_soon():
    links = [Link(f"{SHOP}/shelf/a"), Link(f"{SHOP}/books/1"), Link(f"{SHOP}/about")]
    html = '<main><a href="/about">a</a></main><a href="/books/1">b</a>'
    crawl = shop(routes={"book": BOOK, "shelf": SHELF | {"links": ["main"]}})

    chosen = choose(crawl, page("/"), links)
    high, normal = Priority.HIGH, Priority.NORMAL
    assert [one.priority for one in chosen.pages] == [high, normal, normal]

    chosen = choose(crawl, page("/books/1"), links, explain=True)
    assert (chosen.pages, chosen.dropped) == ((), {"route": 3})
    assert chosen.examples == {"route": f"{SHOP}/shelf/a"}
    assert [reason for _, reason in chosen.reasons] == ["route"] * 3

    response = Response(f"{SHOP}/shelf/", html=html)
    chosen = choose(crawl, page("/shelf/"), links, response=response)
    assert [one.url for one in chosen.pages] == [f"{SHOP}/about"]

    crawl.filter(lambda link: link and Priority.LOW)
    assert [one.priority for one in choose(crawl, page("/"), links).pages] == [Priority.LOW] * 3


# The same from everywhere


def test_toml_json_and_decorators_make_the_same_routes(tmp_path):
    path = tmp_path / "shop.toml"
    path.write_text(
        textwrap.dedent(r"""
            url = "https://shop.example/"

            [routes.book]
            match = '/books/\d+'
            links = false
            wait_for = ".price"

            [routes.book.extract]
            title = "h1"

            [routes.shelf]
            match = '/shelf/'
            extract = {shelf = "h1"}
            priority = "high"
        """)
    )
    decorated = shop()
    decorated.route("book", **BOOK)
    decorated.route("shelf", **SHELF | {"priority": Priority.HIGH})
    tables = shop(routes={"book": BOOK, "shelf": SHELF})
    crawls = [load(str(path)), decorated, tables]
    crawls.append(Crawl(**json.loads(json.dumps(definition_of(decorated)))))
    crawls.append(stored(plan_of(tables), {}))
    crawls.append(shop().replace(routes={"book": BOOK, "shelf": SHELF}))
    assert {digest_of(crawl) for crawl in crawls} == {digest_of(tables)}
    assert [list(crawl.routes) for crawl in crawls] == [["book", "shelf"]] * 6
    assert not any(crawl.has_code for crawl in crawls)


def test_the_digest_covers_routes_their_order_and_their_code():
    def base(**options) -> Crawl:
        return shop(routes={"book": BOOK | options, "shelf": SHELF})

    crawls = [base(), base(wait_for=".x"), base(links=True), shop()]
    crawls.append(shop(routes={"shelf": SHELF, "book": BOOK}))
    crawls.append(base(extract=seen))
    crawls.append(base(extract=lambda page: page.text("h2")))
    crawls.append(base(before=seen))
    assert len({digest_of(crawl) for crawl in crawls}) == len(crawls)
    assert [crawl.has_code for crawl in crawls] == [False] * 5 + [True] * 3
    assert definition_of(crawls[-1]) is None


def test_variants_and_copies_keep_routes_and_may_change_their_options():
    crawl = shop()

    @crawl.route("book", match="/books/", wait_for=".price")
    def book(page): ...

    crawl.route("shelf", match="/shelf/", after=lambda result: result.data)
    variant = crawl.variant(name="other", routes={"book": {"wait_for": ".sale"}})
    assert view_of(variant, page("/books/1")).wait_for == (".sale",)
    assert view_of(variant, page("/books/1")).hooks == {"extract": book}
    rebuilt = stored(plan_of(variant), {"shop": crawl})
    assert digest_of(rebuilt) == digest_of(variant) != digest_of(crawl)
    assert "after" in view_of(crawl, page("/shelf/")).hooks
    assert "after" not in view_of(crawl.without("after"), page("/shelf/")).hooks
    table = shop(routes={"shelf": SHELF | {"after": print}}).without("after")
    assert (table.has_code, view_of(table, page("/shelf/")).hooks) == (False, {})


def test_secrets_in_steps_of_a_route_are_secrets_of_the_crawl():
    def crawl(password: str) -> Crawl:
        step = {"fill": ["#pin", password]}
        return shop(routes={"in": {"match": "/in", "steps": [step, {"quiet": 1}]}})

    assert secrets_of(crawl("s3cret")) == {"s3cret"}
    assert digest_of(crawl("s3cret")) != digest_of(crawl("other"))
    assert profile_of(crawl("$CRAWLER_SECRET_PIN")).references == ("$CRAWLER_SECRET_PIN",)
    assert profile_of(crawl("x")).watch
    assert not profile_of(shop()).watch


# What is wrong with a route


@pytest.mark.parametrize(
    ("options", "where", "what"),
    [
        ({"wait_for": 3}, "routes.x.wait_for", "3 is no list"),
        ({"wait_for": ["a", 3]}, "routes.x.wait_for[1]", "3 is no text"),
        ({"wait_fr": "a"}, "routes.x.wait_fr", "did you mean wait_for?"),
        ({"colour": "a"}, "routes.x.colour", "there are: match, links, priority"),
        ({"delay": 1}, "routes.x.delay", "is a field of the whole crawl"),
        ({"match": "["}, "routes.x.match", "'[' is no regular expression"),
        ({"match": []}, "routes.x.match", "is an empty list"),
        ({"match": ["/", 3]}, "routes.x.match", "3 is no regular expression"),
        ({"match": re.compile(b"/")}, "routes.x.match", "is no regular expression"),
        ({"links": 3}, "routes.x.links", "neither true, nor false, nor a list of selectors"),
        ({"links": "a["}, "routes.x.links", "'a[' is no CSS selector"),
        ({"priority": "first"}, "routes.x.priority", "'first' is none of high, normal, low"),
        ({"extract": {"a": "h1::x"}}, "routes.x.extract.a", "is no CSS selector"),
        ({"extract": lambda pge: pge}, "routes.x.extract", "asks for 'pge'"),
        ({"before": "prepare"}, "routes.x.before", "is str, not a function"),
        ({"after": lambda links, x: (links, x)}, "routes.x.after", "asks for 'x'"),
        ({"steps": [{"jump": 1}]}, "routes.x.steps", "step 1 has no action"),
        ({"wait_timeout": 200}, "routes.x.wait_timeout", "must lie below page_deadline (180)"),
    ],
)
def test_a_wrong_option_is_a_fault_with_its_place(options, where, what):
    found = faults(shop(routes={"x": {"match": "/", **options}}))
    assert list(found) == [where]
    assert what in found[where]


def test_wrong_tables_names_and_decorators_are_faults_of_validate():
    assert "is no table of routes" in faults(shop(routes=["book"]))["routes"]
    found = faults(shop(routes={"a b": BOOK, "none": SHELF, "c": "/c/"}))
    assert "is no table of options" in found["routes.c"]
    assert "is not 'none'" in found["routes"]
    assert "101 routes" in faults(shop(routes={f"r{n}": BOOK for n in range(101)}))["routes"]

    crawl = shop()

    @crawl.route
    def book(page): ...

    assert faults(crawl) == {"routes": "the route of book has no name"}
    crawl = shop()
    crawl.route("book", match="/a/")(seen)
    crawl.route("book", match="/b/")
    assert faults(crawl) == {"routes.book.match": "is given twice; keep one"}


def test_a_field_of_the_crawl_below_a_route_in_toml_is_misplaced(tmp_path):
    path = tmp_path / "shop.toml"
    path.write_text(
        'url = "https://shop.example/"\n[routes.book]\nmatch = "/b/"\ndelay = 1\n'
        '[routes.book.extract]\nname = "h1"\nwait_for = "h1"\n'
    )
    with pytest.raises(DefinitionError) as caught:
        load(str(path)).validate()
    assert {fault.field for fault in caught.value.faults} == {
        "routes.book.delay",
        "routes.book.extract.wait_for",
    }


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ({"match": "/books/"}, {"match": r"/books/\d+"}, "a, which comes first, takes all"),
        ({"match": ".*"}, {"match": "/books/"}, "a, which comes first, takes all"),
        ({"match": ["/x", "/y"]}, {"match": ["/y", "/x"]}, "a, which comes first, takes all"),
        ({"match": "/x"}, {"match": "^books/"}, "each path begins with a slash"),
        ({"match": "/x"}, {}, "no hook asks for follow"),
    ],
)
def test_a_route_that_certainly_takes_no_page_is_a_fault(first, second, why):
    routes = {"a": first, "b": second}
    ((where, what),) = faults(shop(routes=routes)).items()
    assert where.startswith("routes.b")
    assert why in what
    crawl = shop(routes=routes)
    crawl.after(led)  # which may lead there, and knows it when it is left out
    crawl.without("after").validate()
    assert all("only follow(route='b')" in line for line in warnings_of(crawl))


def test_a_pattern_that_perhaps_does_nothing_is_a_warning():
    def warned(first, *others, **fields) -> list[str]:
        routes = {f"r{n}": {"match": match} for n, match in enumerate((first, *others))}
        return warnings_of(shop(routes=routes, **fields))

    assert warned("/books/", "/shelf/", r"^/$") == []
    (line,) = warned("/x", ["/x", "/y"])
    assert line.startswith("routes.r1.match: the route r0, which comes first, takes all")
    assert "there is no host" in warned("https://shop.example/x")[0]
    assert "there is no host" in warned("shop.example/x")[0]
    assert "deny_extensions refuses links that end in .pdf" in warned(r"/files/.+\.pdf$")[0]
    assert "keep_fragment" in warned("/#/book")[0]
    assert warned("/#/book", keep_fragment=True) == []
    assert "deny refuses" in warned("/cart/", deny=["/cart/"])[0]


def test_validate_names_the_routes_and_warns_of_vain_patterns(tmp_path):
    path = tmp_path / "shop.toml"
    path.write_text(
        'url = "https://shop.example/"\n[routes.book]\nmatch = "/books/"\n'
        '[routes.list]\nmatch = ["/shelf/", "/books/new/"]\n'
    )
    said = CliRunner().invoke(main, ["validate", str(path)])
    assert said.exit_code == 0, said.output
    first, warning = said.output.splitlines()
    assert first == "shop: well formed; hooks: none; routes: book, list"
    assert warning.startswith("warning: routes.list.match: the route book, which comes first")


@pytest.mark.parametrize(
    ("pattern", "other", "within"),
    [
        (r"/books/\d+", "/books/", True),
        (r"^/books/\d+", "^/books/", True),
        (r"/books/\d+", "^/books/", False),  # it may come later in the path
        (r"/books?/", "/books", False),
        (r"/books+/x", "/books", False),
        (r"/books{0,2}/x", "books", False),
        (r"/(books/)?\d", "books/", False),
        (r"/[books/]+", "books/", False),
        (r"/a\.b/c", r"/a\.b", True),
        (r"/a\.b/c", "/a.b", False),
        (r"/\d/books/", "/d", False),
        (r"/x|/books/", "/books/", False),
        (r"/BOOKS/1", "(?i)/books/", False),  # which is true, and not seen
        (r"(?i)/books/1", "/books/", False),
        (r"/books/1", ".*", True),
        (r"/books/(?!1)", "/books/", True),
        (r"/books/\d+", "/books/.*", True),
        (r"/books/\d+", ".*/books/.*$", True),
        (r"/books/\d+", r"/books/\.*", False),
        (r"^/books/\d+", "^/books/.*", True),
        (r"/books/\d+/reviews", r"/books/\d+", True),
        (r"/books/\d+?/reviews", r"/books/\d+", False),  # which is true, and not seen
        (r"/ab?c", "/ab", False),
        (r"/a/\d|/b", r"/a/\d", False),
        (r"(?i)/a/\d/b", r"/a/\d", False),
        (r"/a/[bc]/d", "/a/[bc]", True),
        (r"/b\books", "ooks", True),
        (r"(?x) /books/ 1", "/books/", False),
    ],
)
def test_one_pattern_lies_within_another_only_if_that_is_certain(pattern, other, within):
    assert is_within(re.compile(pattern), re.compile(other)) is within


def test_every_option_of_a_route_is_explained():
    table = SETTINGS.read_text().partition("## Options of a route")[2]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == list(OPTIONS)
