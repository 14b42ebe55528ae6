"""What is here: the crawls, the settings, and what a shell completes."""

from __future__ import annotations

import json

import pytest

from crawler import Crawl
from tests.support.desk import fail_all, finish

SHOP = """
from crawler import Crawl
shop = Crawl(name="shop", url="https://shop.example/")
books = Crawl(name="books", url="https://books.example/")
@books.after
def save(result): ...
"""


def test_crawls_are_listed_with_how_they_stand_and_where_their_code_is(desk):
    crawl = desk.begin("/a", "/b")
    fail_all(crawl.frontier, "http_404")
    finish(crawl.frontier)
    with_code = Crawl(name="news", url="https://news.example/")
    with_code.after(lambda result: None)  # noqa: ARG005
    desk.client.start(with_code)
    (desk.folder.path / "shops.py").write_text(SHOP)
    desk.folder.environ["CRAWLER_CRAWLS"] = "shops.py,absent.py"
    head, news, shop, books = (line.split() for line in desk.run("list").splitlines())
    assert head == ["name", "status", "done", "failed", "waiting", "definition"]
    assert news == ["news", "active", "0", "0", "1", "elsewhere"]
    assert shop == ["shop", "active", "1", "1", "1", "stored"]
    assert books == ["books", "not", "started", "0", "0", "0", "code"]
    assert "warning: there is no file absent.py" in desk.folder.here("list").stderr
    assert json.loads(desk.run("list", "--json"))[2]["definition"] == "code"


def test_where_nothing_is_known_the_list_says_so(folder):
    done = folder.here("list")
    assert (done.exit_code, "no crawl has run here" in done.stderr) == (2, True)
    (folder.path / "shops.py").write_text(SHOP)
    folder.environ["CRAWLER_CRAWLS"] = "shops.py"
    assert "not started" in folder.here("list").stdout


def test_settings_are_shown_with_their_source_and_without_passwords(folder):
    folder.environ |= {
        "CRAWLER_REDIS_URL": "redis://ann:one-word@there:6379/1",
        "CRAWLER_API_TOKENS": "a-token-of-sixteen-characters",
        "CRAWLER_SECRET_SHOP": "another-word",
        "CRAWLER_TICK": "3",
    }
    done = folder.here("config")
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert lines["CRAWLER_REDIS_URL"].split()[1:] == [
        "redis://ann:***@there:6379/1",
        "(environment)",
    ]
    assert (
        "redis://ann:***@there:6379/2  (made of CRAWLER_REDIS_URL)" in (lines["CRAWLER_BROKER_URL"])
    )
    assert "***" in lines["CRAWLER_API_TOKENS"]
    assert "CRAWLER_SECRET_SHOP" in lines["secrets"]
    assert "CRAWLER_TICK is no setting; CRAWLER_TICK_INTERVAL is" in done.stderr
    both = done.stdout + folder.here("config", "--json").stdout
    assert "one-word" not in both
    assert "a-token" not in both
    assert "another-word" not in both
    every = json.loads(folder.here("config", "--json").stdout)
    assert every["CRAWLER_TICK_INTERVAL"] == {"value": "10.0", "from": "default"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_asks_the_command(folder, shell):
    assert "_CRAWLER_COMPLETE" in folder.here("completion", shell).stdout


def test_a_shell_completes_commands_options_and_names_of_crawls(desk):
    desk.begin()

    def completed(*words: str) -> list[str]:
        desk.folder.environ |= {
            "_CRAWLER_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("crawler", *words)),
            "COMP_CWORD": str(len(words)),
        }
        return desk.folder.run().stdout.split()

    assert completed("pau") == ["plain,pause"]
    assert "plain,--output" in completed("start", "--out")
    assert completed("info", "sh") == ["plain,shop"]
    assert completed("validate", "x") == ["file,x"]
