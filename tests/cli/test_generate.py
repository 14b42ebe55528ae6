"""``crawler generate``: questions and options, and the file that comes of them."""

from __future__ import annotations

import json
import re

import click
import pytest
from click.testing import CliRunner, Result

from crawler.cli.draft_questions import Flags, Interview, Prompt
from crawler.drafts.draft import Draft
from crawler.drafts.pages import Loaded
from crawler.drafts.proposals import Sample
from crawler.errors import PageError
from crawler.model import Response
from tests.support.folder import Folder

pytest_plugins = ["tests.site.shop"]

SITE = "https://shop.example"
PAGES = {
    "/": "<ul>{}</ul><p class=pages><a href=/?page=2>2</a></p>".format(
        "".join(f"<li class=card><a href=/tea/{n}/>Tea {n}</a></li>" for n in (1, 2, 3))
    ),
    **{
        f"/tea/{n}/": f"<h1>Tea {n}</h1><p class=cost>€{n}.50</p><p><i>a</i> <i>b</i></p>"
        for n in (1, 2)
    },
    "/late/": "<h1>Late</h1><b class=cost>€9</b>",
}


class Site:
    """Pages as text, where no browser is needed: what is asked is in question here."""

    def load(self, url: str) -> Loaded:
        html = PAGES.get(url.removeprefix(SITE))
        if html is None:
            raise PageError(url, "http_404", 404)
        early = html.partition("<b")[0] if "late" in url else None
        sample = [
            None if one is None else Sample.of(Response(url, html=one)) for one in (early, html)
        ]
        assert sample[1]
        return Loaded(sample[1], sample[0], "Teas")


def interview(draft: Draft, url: str, typed: list[str] | None, flags: Flags) -> Result:
    """Hold an interview in which these lines are typed; None: nobody is asked."""

    @click.command()
    def command() -> None:
        Interview(draft, flags, Prompt(asks=typed is not None), Site()).hold(url)

    lines = "".join(f"{line}\n" for line in typed or ())
    return CliRunner().invoke(command, (), lines)


def test_lists_and_details_are_asked_for_until_answers_mean_something():
    draft = Draft("tea", f"{SITE}/")
    answers = ["no such link", "Tea 2", "2", "b ad", "delay", "title", "nope", "Tea 2", "1"]
    answers += ["price", "2.50", ".cost", "1", "parts[]", "a", "", ""]
    answers += ["x", "none", "none", "-1", "0.5", "/tea/", "(", "", ""]
    done = interview(draft, f"{SITE}/", answers, Flags())
    assert done.exception is None, (done.output, done.exception)
    assert draft.details
    assert draft.pager
    assert draft.table == {"title": "h1", "price": ".cost", "parts": ["i"]}
    assert draft.values == {"title": "Tea 2", "price": "€2.50", "parts": ["a", "b"]}
    assert draft.options == {"depth_limit": None, "delay": 0.5, "allow": ["/tea/"]}
    assert draft.fields["routes"] == {
        "detail": {"match": r"^/tea/\d+/$", "links": False, "extract": draft.table},
        "list": {"match": ["^/$", r"^/\?page=[^&]*"], "links": [".card a", ".pages a"]},
    }
    for words in (
        "has no link with this URL or text",
        "'b ad' is no name of a field",
        "call it item_delay",
        "'nope' is the text of no element",
        "'x' is no number",
        "delay: -1.0 is too small",
        "is no regular expression",
    ):
        assert words in done.output, words
    draft.check()


def test_what_options_say_is_not_asked_for_and_must_mean_something():
    draft = Draft("tea", f"{SITE}/", {"depth_limit": 1, "page_limit": 9, "delay": 1.0})
    items = ("title=Tea 1", "price=1.50", "parts[]=b")
    assert interview(draft, f"{SITE}/", None, Flags(detail="Tea 1", items=items)).exception is None
    assert draft.table["price"] == {"select": ".cost", "type": "number"}
    assert draft.example == f"{SITE}/tea/1/"

    for flags, words in (
        (Flags(detail="Tea 9"), "--detail: .* has no link"),
        (Flags(detail="Tea 1", pager="Next"), "--next: .* has no link"),
        (Flags(each=".row"), "--each: '.row' finds no element"),
        (Flags(items=["title=Coffee"]), "--field title: 'Coffee' is the text of no element"),
        (Flags(also=f"{SITE}/none"), "http_404"),
    ):
        failed = interview(Draft("tea", f"{SITE}/"), f"{SITE}/", None, flags)
        assert failed.exception is not None
        assert re.search(words, f"{failed.exception} {failed.output}"), failed.output


def test_an_entry_elsewhere_leads_to_items_and_late_ones_are_awaited():
    draft = Draft("tea", f"{SITE}/")
    interview(draft, f"{SITE}/tea/2/", None, Flags(entry=f"{SITE}/"))
    assert draft.fields["routes"]["detail"]["match"] == r"^/tea/\d+/$"
    assert draft.table == {"title": "h1"}  # as nothing else was said
    late = Draft("late", f"{SITE}/late/")
    interview(late, late.url, None, Flags(items=["cost=€9"]))
    assert late.options["wait_quiet"] == 0.5


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["https://shop.example/"], "standard input is no terminal"),
        (["shop.example", "--yes"], "did you mean https://shop.example?"),
        (["ftp://shop.example/", "--yes"], "is no URL of a page"),
        (["https:///x", "--yes"], "has no host that could exist"),
        (["https://shop.example/", "--yes", "-o", "a.yaml"], "no ending that says its form"),
        (["https://shop.example/", "--yes", "-o", "taken.toml"], "taken.toml exists: --force"),
        (["https://shop.example/", "--yes", "-o", "no/a.toml"], "there is no folder no"),
        (["https://shop.example/", "--yes", "-o", "folder.py"], "folder.py is a folder"),
        (["https://shop.example/", "--yes", "-o", "a.toml", "--python"], "is TOML; name a file.py"),
        (["https://shop.example/", "--yes", "--field", "title"], "LABEL=TEXT"),
        (["https://shop.example/", "--yes", "--field", "a=b", "--field", "a=c"], "there already"),
        (["https://shop.example/", "--yes", "--name", "a b"], "--name: 'a b' may hold"),
        (["https://shop.example/", "--yes", "--next", "2"], "it needs --detail"),
        (["https://shop.example/", "--yes", "--each", "["], "--each: '[' is no CSS selector"),
        (["https://shop.example/", "--yes", "--set", "extract={}"], "is what is drafted"),
        (["https://shop.example/", "--yes", "--delay", "-1"], "delay"),
    ],
)
def test_a_wrong_order_is_one_line_before_any_page_is_loaded(folder: Folder, words, what):
    (folder.path / "taken.toml").write_text("mine")
    (folder.path / "folder.py").mkdir()
    done = folder.here("generate", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert what in done.stderr
    assert done.stderr.count("\n") == 1
    assert (folder.path / "taken.toml").read_text() == "mine"


@pytest.mark.browser
def test_a_definition_comes_of_examples_and_gives_the_fields(shop, folder: Folder):
    words = ["generate", f"{shop}categories/gardens/", "--yes", "--name", "shelf", "--delay", "0.5"]
    words += ["--detail", "Soil, Slowly", "--next", ".pages a"]
    words += [
        "--field",
        "title=Soil, Slowly",
        "--field",
        "price=27.50",
        "--field",
        "tags[]=gardens",
    ]
    done = folder.here(*words)
    assert done.exit_code == 0, done.stderr
    assert "wrote shelf.toml. Try it: crawler run shelf.toml --url http" in done.stderr
    text = (folder.path / "shelf.toml").read_text()
    assert 'price = { select = ".price", type = "number" }' in text
    assert [path.name for path in folder.path.glob("*.*")] == ["shelf.toml"]
    assert (
        "well formed; hooks: none; routes: detail, list"
        in folder.here("validate", "shelf.toml").stdout
    )
    ran = folder.run("run", "shelf.toml", "--json", "--url", f"{shop}books/nine-bridges/")
    assert ran.returncode == 0, ran.stderr
    item = json.loads(ran.stdout)["data"]
    assert item.keys() == {"title", "price", "tags"}
    assert item["title"] == "Nine Bridges"
    assert item["price"] > 9
    assert "journeys" in item["tags"]
