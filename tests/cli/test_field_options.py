"""Fields as options of commands: made from the fields, so that none can be missing or wrong."""

from __future__ import annotations

import ast

import click
import pytest
from click.testing import CliRunner

from crawler.cli.field_options import GROUPS, FieldCommand, changes_of, field_options
from crawler.definition.loading import load

URL = "https://shop.example/"


@click.command(cls=FieldCommand)
@field_options()
def changed(**fields: object) -> None:
    """Print the fields of a crawl that the options make."""
    crawl = load(URL, changes_of(fields))
    crawl.validate()
    click.echo(repr({name: getattr(crawl.fields, name) for name in GIVEN}))


GIVEN = (
    *("depth_limit", "page_limit", "delay", "allow", "scope", "images", "robots", "revisit"),
    *("user_agent", "screenshot", "frames", "wait_for"),
)


def test_options_set_the_fields_of_their_names():
    words = r"""--depth-limit none --page-limit 1_000 --delay 0.5 --allow /books/\d+ --allow "two
        --scope same-domain --no-images --no-robots --revisit 1d --user-agent 7
        --screenshot page --frames inner --wait-for .price"""
    done = CliRunner().invoke(changed, words.split(), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert ast.literal_eval(done.stdout) == {
        "depth_limit": None,
        "page_limit": 1_000,
        "delay": 0.5,
        "allow": (r"/books/\d+", '"two'),
        "scope": "same-domain",
        "images": False,
        "robots": False,
        "revisit": 86_400.0,
        "user_agent": "7",
        "screenshot": "page",
        "frames": "inner",
        "wait_for": (".price",),
    }


def test_without_options_every_field_keeps_its_own_value():
    assert changes_of(dict.fromkeys(GIVEN) | {"allow": ()}) == ()


def test_the_help_has_the_options_in_groups(folder):
    shown = folder.here("start", "--help").stdout
    for group, names in GROUPS.items():
        assert f"\n{group}:\n" in shown
        for name in names:
            assert f"  --{name.replace('_', '-')} " in shown
    assert "[default: 3]" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--page-limit", "many"), "page_limit"),
        (("--depth-limit", "-1"), "depth_limit"),
        (("--screenshot", "all"), "--screenshot"),
        (("--dept-limit", "1"), "--depth-limit"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_field(folder, words, said):
    done = folder.here("start", URL, *words)
    assert done.exit_code == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert said in last


def test_a_crawl_with_code_says_where_its_fields_are(folder):
    (folder.path / "shop.py").write_text(
        f'from crawler import Crawl\nshop = Crawl(name="shop", url="{URL}")\n'
        "@shop.extract\ndef item(page): return page.title\n"
    )
    done = folder.here("start", "shop.py", "--wait-for", "h1")
    assert (done.exit_code, "has code" in done.stderr) == (2, True)
