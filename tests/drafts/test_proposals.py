"""Selectors that are proposed: for texts of pages, short ones that last."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from crawler.definition.selectors.paths import parse_path
from crawler.definition.selectors.rendered import text_of
from crawler.drafts.names import LOOK, MEANING, STATE, cost_of
from crawler.drafts.page_kinds import details_of, find_link, guess_details, pattern_of
from crawler.drafts.proposals import NothingFound, Proposal, Sample, proposals
from crawler.drafts.selectors_of import candidates
from crawler.model import Response

SERVE = Path(__file__).parents[2] / "examples" / "demo" / "serve.py"

PAGE = """<head><title>Tea</title><meta property="og:title" content="The tea of a day">
<script type="application/ld+json">{"@type": "Product", "name": "Tea", "sku": "T-77",
"offers": {"price": 12.5}}</script></head>
<nav><a href="/tea">Tea</a></nav>
<div class="css-1q2w3e mt-4"><h1 class="sc-bdVaJa">Tea</h1>
<p class="price__x7Yz2" itemprop="price">€12.50 <small>with tax</small></p>
<p class="a9f3e1 text-lg">By <b>Ann</b> <i>O&#8217;Hara</i>, Genève</p>
<img id="img-4711" class="cover" src="/t.png" alt="A &quot;cup&quot; of tea">
<table><tr><th>UPC</th><td>a897fe39</td></tr><tr><th>Stock</th><td>22 left</td></tr></table>
<ul class="tags"><li>green</li><li>loose</li></ul><p>twice</p><p>twice</p>
<p style="display: none" class="secret">hidden one</p></div>"""


def page(html: str = PAGE, url: str = "https://shop.example/tea") -> Sample:
    return Sample.of(Response(url, html=html))


def first(answer: str, **options: object) -> Proposal:
    return proposals(page(), answer, **options)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "rule", "value"),
    [
        ("Tea", "h1", "Tea"),  # also in the title, in the navigation, in JSON-LD
        ("€12.50 with tax", "[itemprop=price]", "€12.50 with tax"),
        ("€12.50", "[itemprop=price]::text", "€12.50"),
        ("12.50", {"select": "[itemprop=price]", "type": "number"}, 12.5),
        ("22", {"select": "xpath://th[.='Stock']/following-sibling::td[1]", "type": "integer"}, 22),
        ("a897fe39", "xpath://th[.='UPC']/following-sibling::td[1]", "a897fe39"),
        ("Ann O'Hara", ".text-lg re:^By\\s+(.+?),\\s+Genève", "Ann O’Hara"),  # noqa: RUF001
        ("/t.png", ".cover::attr(src)", "/t.png"),
        (
            "https://shop.example/t.png",
            {"select": ".cover::attr(src)", "type": "url"},
            "https://shop.example/t.png",
        ),
        ('A "cup" of tea', ".cover::attr(alt)", 'A "cup" of tea'),
        ("T-77", "jsonld:Product.sku", "T-77"),
        ("the tea  of a day", "meta:og:title", "The tea of a day"),
        ("GREEN", "li", "green"),
        (".cover", ".cover", None),  # a selector that finds an element without a text
        ("meta:og:title", "meta:og:title", "The tea of a day"),
        ("css:h1", "h1", "Tea"),
    ],
)
def test_a_text_becomes_a_short_rule_that_gives_it(answer, rule, value):
    if value is None:
        with pytest.raises(NothingFound, match="matches nothing"):
            first(answer)
        return
    best = first(answer)
    assert (best.rule, best.value) == (rule, value)


def test_what_is_said_of_texts_that_are_nowhere_or_everywhere():
    with pytest.raises(NothingFound, match=r"of no element.*; did you mean '22 left'"):
        first("22 letf")
    with pytest.raises(NothingFound, match=r"'\.nope' matches nothing of https://shop"):
        first(".nope")
    with pytest.raises(NothingFound, match="text of no element"):
        first("text:h1")
    assert first("twice").note == "one of 2 elements with this text"
    assert first("p").note == "the first of 5 that it finds"
    assert first("hidden one").rule == ".secret"
    assert first("green", many=True).rule == ["li"]
    assert first("green", many=True).value == ["green", "loose"]


def test_a_rule_that_finds_nothing_on_another_page_comes_last():
    html = "<h1>Tea</h1><p class=special>Tea</p><p class=blend>Ann</p>"
    other = page("<h1>Mate</h1><p class=blend>Bo</p>", "https://shop.example/mate")
    rules = proposals(page(html), "Tea", others=[other])
    assert rules[0].rule == "h1"
    assert {one.rule: one.note for one in rules}[".special"].endswith(
        "; nothing at https://shop.example/mate"
    )


def test_fields_of_one_of_several_items_are_looked_for_in_it():
    html = "<ul>{}</ul><b>of all</b>".format(
        "".join(f"<li><b>Tea {n}</b><i>{n} cups</i></li>" for n in range(3))
    )
    for answer, rule in (("Tea 2", "b"), ("0 cups", "i")):
        assert proposals(page(html), answer, each="li")[0].rule == rule
    with pytest.raises(NothingFound, match="of the items li of"):
        proposals(page(html), "of all", each="li")


@pytest.mark.parametrize(
    ("cost", "names"),
    [
        (MEANING, ["price", "product-title", "cardBody", "Größe", "price_color", "heading"]),
        (LOOK, ["mt-4", "col-md-6", "text-lg", "flex", "btn-primary", "container", "step-2", "h1"]),
        (STATE, ["is-open", "active", "first", "odd", "lazyloaded"]),
        (
            None,
            [
                *("css-1q2w3e", "sc-bdVaJa", "jss123", "Price_root__x7Yz2", "item-4711", "a9f3e1"),
                *("svelte-1tky8bj", "ember1234", "_3xK2p", "md:w-1/2", "styles__aB3dE", "1st"),
                *("jsx-3214567", "_ngcontent-abc-c12", "x" * 61, "kqxzvbn", ""),
            ],
        ),
    ],
)
def test_names_that_tools_make_are_told_from_those_of_people(cost, names):
    assert {name: cost_of(name) for name in names} == dict.fromkeys(names, cost)


def test_an_element_without_any_name_is_found_by_its_place():
    html = "<div><p>a</p><div><p>b</p><p>c</p></div></div>"
    sample = page(html)
    target = sample.document.elements(parse_path("p"), sample.document.root)[2]
    best = candidates(sample.document, sample.document.root, [target])[0]
    assert sample.document.elements(parse_path(best.text), sample.document.root)[0] is target
    assert "nth-of-type" in best.text


@pytest.fixture(scope="module")
def shop() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo_shop", SERVE)
    assert spec
    assert spec.loader
    module = sys.modules["demo_shop"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_selectors_find_exactly_the_elements_they_were_made_for(shop):
    """For each text of some pages of each kind."""
    paths = ["/", "/events/", "/about/", "/café/", "/categories/gardens/", "/categories/poems/"]
    paths += ["/books/soil-slowly/", "/books/bread-at-four/", "/events/seed-swap-and-soup/"]
    count = 0
    for path in paths:
        sample = page(shop.PAGES[path](), f"https://shop.example{path}")
        document = sample.document
        for one in list(document.root.iter())[::3]:
            if not isinstance(one.tag, str) or not text_of(one) or one.tag in ("html", "body"):
                continue
            found = candidates(document, document.root, [one])
            assert found, (path, one.tag)
            assert document.elements(parse_path(found[0].text), document.root)[0] is one
            count += 1
    assert count > 60


def test_links_of_a_list_lead_to_pages_of_one_kind(shop):
    shelf = page(shop.PAGES["/categories/gardens/"](), "https://shop.example/categories/gardens/")
    for answer in ("Soil, Slowly", "/books/soil-slowly/", ".cards a", ".cards"):
        link = find_link(shelf.document, answer)
        assert link
        details = details_of(shelf.document, *link)
        assert (details.pattern, len(details.urls)) == ("^/books/[^/?]+/$", 6)
        assert details.selector == (".cards" if answer == ".cards" else ".cards a")
        assert details.strangers == ()
    guess = guess_details(shelf.document)
    assert guess is not None
    assert guess.get("href") == "/books/the-patient-gardener/"
    assert find_link(shelf.document, "no such link") is None


@pytest.mark.parametrize(
    ("urls", "pattern"),
    [
        (["/x/12", "/x/13"], r"^/x/\d+$"),
        (["/x/12"], r"^/x/\d+$"),
        (["/x/soil.html"], "^/x/[^/?]+$"),
        (["/a_1/i.html", "/b_22/i.html"], r"^/[^/?]+/i\.html$"),
        (["/p-1.html", "/p-20.html"], r"^/p-\d+\.html$"),
        (["/a.html", "/b.html"], r"^/[^/?]+\.html$"),
        (["/p?id=3&l=de"], r"^/p\?id=[^&]*&l=[^&]*"),
        (["/"], "^/$"),
        ([""], "^/$"),
    ],
)
def test_the_pattern_of_pages_of_a_kind(urls, pattern):
    assert pattern_of([f"https://shop.example{url}" for url in urls]) == pattern
