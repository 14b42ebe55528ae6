"""Whatever the docs name exists: commands, options, settings, metrics, fields, functions."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import crawler
from crawler.browser.browser import Browser
from crawler.browser.page import LivePage
from crawler.cli import main
from crawler.client.client import Client
from crawler.client.crawl_handle import CrawlHandle
from crawler.client.standstill import Reason
from crawler.config.settings import Settings
from crawler.definition.crawl import Crawl
from crawler.definition.fields import Fields
from crawler.frontier.answers import RouteTally
from crawler.frontier.frontier import Frontier
from crawler.model import FailureClass, Link, Page, Response, Result, Snapshot
from crawler.observe.metrics import Collector
from tests.support.frontier import plan, take
from tests.support.generated import page_of

ROOT = Path(__file__).parents[1]
DOCS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
SOURCES = sorted([*(ROOT / "crawler").rglob("*.py"), *(ROOT / "config").rglob("*.py")])
#: Names by which the docs call things, and their classes.
VARIABLES: dict[str, tuple[type, ...]] = {
    "handle": (CrawlHandle,),
    "page": (LivePage, Page),
    "live": (LivePage,),
    "browser": (Browser,),
    "response": (Response,),
    "snapshot": (Snapshot,),
    "result": (Result,),
    "link": (Link,),
    "crawl": (Crawl,),
    "client": (Client,),
    "shop": (Crawl, CrawlHandle),
    "books": (Crawl, CrawlHandle),
}
#: The variables of an example, examples/load/locustfile.py, and of docker-compose.yml.
OF_EXAMPLES = {"CRAWLER_API_TOKEN", "CRAWLER_IMAGE"}
#: Tasks, permissions of Django, and a logger: names that begin as ours and are no modules.
NO_MODULES = {
    *("crawler.run", "crawler.start", "crawler.tick"),
    *("crawler.view_crawl", "crawler.operate_crawl"),
    # modules of a Django project
    *("crawler.contrib.django.admin", "crawler.contrib.django.models"),
}
#: A call of our command line: the word before it, the command, what it is given.
CALL = re.compile(r"(?:^|(\w*)[\s/(`])crawler (?:-v )?([a-z]+)\b([^|;&#()`]*)")
#: Words before "crawler" where no command is meant: of Python, and of Redis's users.
NO_CALLS = {"from", "import", "user", "SETUSER"}


def code(path: Path) -> Iterator[str]:
    """Yield the code of a page: its blocks, and what stands in backquotes."""
    text = path.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.S | re.M)
    yield from blocks
    rest = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.S | re.M)
    yield from (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", rest))


def blocks(path: Path, language: str) -> list[str]:
    """Return the code blocks in ``language``."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.S | re.M)


def command(name: str) -> click.Command:
    """Return a command of ours."""
    found = main.commands[name]
    return found.load() if hasattr(found, "load") else found


def options(found: click.Command) -> set[str]:
    """Return the options of a command."""
    names = {name for param in found.params for name in (*param.opts, *param.secondary_opts)}
    return names | {"--help", "-v", "--verbose", "--version"}


def calls(text: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the words of each call of our command line."""
    for line in text.replace("\\\n", " ").splitlines():
        for match in CALL.finditer(line):
            if match[1] not in NO_CALLS:
                yield match[2], match[3]


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_commands_and_options_of_the_docs_exist(path):
    wrong = [
        f"crawler {name} {words}"
        for text in code(path)
        for name, words in calls(text)
        if name not in main.commands
        or set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", words)) - options(command(name))
    ]
    assert wrong == []


def test_commands_and_options_that_help_names_exist():
    wrong = []
    for name in main.commands:
        found = command(name)
        texts = [found.help or "", *(getattr(param, "help", "") or "" for param in found.params)]
        for text in texts:
            named = {other for other, _ in calls(text)}
            wrong += [f"{name}: {other}" for other in named - set(main.commands)]
            known = set().union(*(options(command(other)) for other in {name, *named}))
            unknown = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) - known
            wrong += [f"{name}: {option}" for option in unknown]
    assert wrong == []


def test_environment_variables_that_are_named_exist():
    known = {f"CRAWLER_{name.upper()}" for name in Settings.model_fields} | OF_EXAMPLES
    text = "".join(path.read_text() for path in (*DOCS, *SOURCES))
    named = set(re.findall(r"\bCRAWLER_[A-Z][A-Z_]*[A-Z]\b", text))
    assert {name for name in named if not name.startswith("CRAWLER_SECRET")} - known == set()


def test_each_alert_and_each_reason_to_stand_still_has_a_runbook():
    rules = (ROOT / "config" / "alerts.yml").read_text()
    alerts = re.findall(r"alert: (\w+)", rules)
    titles = re.findall(r"^### (\w+)$", (ROOT / "docs" / "runbooks.md").read_text(), re.MULTILINE)
    assert sorted(titles) == sorted([*alerts, *Reason])
    named = re.findall(r"runbook: docs/runbooks\.md#(\w+)", rules)
    assert named == [alert.lower() for alert in alerts]


def test_metrics_of_the_docs_exist(redis):
    frontier = Frontier(redis, "shop")
    frontier.create(plan())
    frontier.enqueue([Page("http://a/"), Page("http://a/b")], skipped={"scope": 1})
    frontier.fail(take(frontier), FailureClass.TERMINAL, "dns", route=RouteTally("book", 1.0))
    frontier.fail(take(frontier), FailureClass.RETRY, "retry: half loaded")
    known = {sample.name for family in Collector(redis).collect() for sample in family.samples}
    known |= {family.name for family in Collector(redis).collect()}
    named = set()
    for path in DOCS:
        named |= set(re.findall(r"\bcrawler_[a-z_]+[a-z]\b(?!\()", path.read_text()))
    assert named - known - {"crawler_store"} == set()


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_attributes_of_the_docs_exist(path):
    wrong = [
        f"{name}.{attribute}"
        for text in code(path)
        if "DJANGO_SETTINGS_MODULE" not in text
        for name, attribute in re.findall(r"(?<![\w./:@-])([a-z]+)\.([a-z_]+)\b(?!\.)", text)
        if name in VARIABLES
        and not any(has(kind, attribute) for kind in VARIABLES[name])
        and attribute not in ("py", "toml", "json", "jsonl", "csv", "parquet", "example", "html")
    ]
    assert wrong == []


def has(kind: type, attribute: str) -> bool:
    """Whether objects of this class have the attribute."""
    fields = {field.name for field in dataclasses.fields(kind)} if is_data(kind) else set()
    annotated = set(getattr(kind, "__annotations__", {}))
    own = Path(__import__(kind.__module__, fromlist=["x"]).__file__).read_text()
    set_in_code = re.search(rf"self\.{attribute}\b[^=\n]* = ", own)
    return attribute in fields | annotated or hasattr(kind, attribute) or bool(set_in_code)


def is_data(kind: type) -> bool:
    return dataclasses.is_dataclass(kind)


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_modules_and_functions_of_the_docs_can_be_imported(path):
    wrong = []
    for text in code(path):
        names = re.findall(r"(?<![\w./:@'\"-])crawler(?:\.\w+)+", text)
        wrong += [name for name in names if name not in NO_MODULES and not resolves(name)]
    assert wrong == []


def resolves(name: str) -> bool:
    """Whether a dotted name leads to something."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            # to ask for a user of Locust would change the standard library of this process
            if part in getattr(found, "__all__", ()):
                return True
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_python_of_the_docs_is_python_and_imports_what_exists(path):
    for text in blocks(path, "(?:python|py)"):
        for node in ast.walk(ast.parse(textwrap.dedent(text))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("crawler"):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                assert [name for name in names if not resolves(name)] == []


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_fields_in_toml_of_the_docs_exist(path):
    for text in blocks(path, "toml"):
        definition = tomllib.loads(text)
        if "url" in definition:
            assert set(definition) - set(Fields.model_fields) == set()


def test_names_in_roles_of_docstrings_exist():
    known = {part.removesuffix(".py") for path in SOURCES for part in path.parts}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                known.add(node.name)
    named = set()
    for path in SOURCES:
        roles = re.findall(r":(?:meth|func|class|mod):`~?([\w.]+)`", path.read_text())
        named |= {name.rpartition(".")[2] for name in roles}
    assert named - known == set()


def test_all_public_names_exist():
    for name in crawler.__all__:
        assert getattr(crawler, name)
    client = importlib.import_module("crawler.client")
    assert all(hasattr(client, name) for name in client.__all__)


def test_the_pictures_of_commands_are_what_they_print_now():
    found = page_of("make_captures", "pictures")
    assert [path.name for path, text in found.items() if path.read_text() != text] == [], (
        "make docs"
    )
