"""The tables for those who come from another crawler, and one crawl in its three forms."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

import crawler
from crawler import Crawl
from crawler.cli import main
from crawler.cli.field_options import changes_of
from crawler.config.settings import Settings
from crawler.definition.digest import digest_of
from crawler.definition.fields import Fields
from crawler.definition.loading import load
from crawler.hooks import ARGUMENTS
from tests.test_docs import VARIABLES, blocks, has, resolves

PAGE = Path(__file__).parents[1] / "docs" / "coming-from.md"
#: Rows of the tables: what it is elsewhere, what it is here, what is different.
TABLES = PAGE.read_text().partition("## From Locust")[2]
ROWS = re.findall(r"^\| (.+?) \| (.+?) \| (.*?)\|$", TABLES, re.MULTILINE)
WORDS = {name for names in ARGUMENTS.values() for name in names} | set(ARGUMENTS)


def exists(name: str) -> bool:
    """Whether a name of ours is a field, a hook or its argument, a command, a setting, an
    attribute, or can be imported.
    """
    if name.startswith("crawler "):
        return name.split()[1] in main.commands
    if name.startswith("CRAWLER_"):
        return name.removeprefix("CRAWLER_").lower() in Settings.model_fields
    if name.startswith("crawler."):
        return resolves(name)
    first, _, attribute = name.partition(".")
    if attribute:
        return any(has(kind, attribute) for kind in VARIABLES[first])
    return name in Fields.model_fields or name in WORDS or name in crawler.__all__


@pytest.mark.parametrize("row", [row for row in ROWS if "`" in row[1]], ids=lambda row: row[0][:30])
def test_each_name_of_ours_in_the_tables_exists(row):
    assert [name for name in re.findall(r"`([^`]+)`", row[1]) if not exists(name)] == []


def test_the_three_forms_mean_the_same_crawl():
    (line,) = blocks(PAGE, "sh")
    start = main.commands["start"].load()
    context = start.make_context("start", shlex.split(line)[2:])
    fields = {name: value for name, value in context.params.items() if name in Fields.model_fields}
    (url,) = context.params["crawls"] if "crawls" in context.params else (context.params["crawl"],)
    command = load(url, (*context.params["changes"], *changes_of(fields)))
    (text,) = blocks(PAGE, "toml")
    toml = Crawl(**tomllib.loads(text))
    names: dict[str, Crawl] = {}
    (code,) = blocks(PAGE, "python")
    exec(code, names)  # noqa: S102, our own page
    assert digest_of(toml) == digest_of(names["books"])
    assert digest_of(command) == digest_of(toml.replace(extract=None))
