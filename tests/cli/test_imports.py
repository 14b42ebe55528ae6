"""A command imports what it needs: help is quick, and a page runs without Celery and Django."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from crawler.cli import COMMANDS, main

#: Runs the command line with its arguments, and prints as JSON which modules it has imported.
RUN = """
import json, sys
from crawler.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    status = end.code
print("\\n" + json.dumps({"status": status, "modules": sorted(sys.modules)}))
"""
#: Libraries that take long to import.
HEAVY = ("celery", "kombu", "django", "redis", "selenium", "rich", "pydantic_settings", "parsel")


def modules(folder: Path, *words: str, status: int = 0, **environ: str) -> set[str]:
    """Return the modules that the command has imported when it ends with ``status``."""
    process = subprocess.run(
        [sys.executable, "-c", RUN, *words],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    end = json.loads(process.stdout.splitlines()[-1])
    assert end["status"] == status, (process.stdout, process.stderr)
    return set(end["modules"])


@pytest.fixture
def crawl(tmp_path: Path) -> str:
    (tmp_path / "shop.py").write_text(
        "from crawler import Crawl\n"
        'shop = Crawl(name="shop", url="http://127.0.0.1:1/", public_only=False)\n'
        "@shop.extract\n"
        "def data(page): return page.title\n"
    )
    return "shop.py"


def test_help_imports_no_command_and_no_heavy_library(tmp_path):
    loaded = modules(tmp_path, "--help")
    assert loaded.isdisjoint({*HEAVY, "pydantic"})
    ours = {name for name in loaded if name.startswith("crawler.cli")}
    assert ours == {f"crawler.cli{name}" for name in ("", ".click_errors", ".group", ".terminal")}


def test_validate_imports_no_celery_django_redis_or_browser(tmp_path, crawl):
    loaded = modules(tmp_path, "validate", crawl)
    assert loaded.isdisjoint({"celery", "kombu", "django", "redis", "selenium"})


def test_run_loads_a_page_without_celery_and_django(tmp_path, crawl):
    """No browser starts here: the command gets as far as looking for one."""
    loaded = modules(
        tmp_path,
        "run",
        crawl,
        status=2,
        CRAWLER_CHROME_URL="http://127.0.0.1:1",
        HOME=str(tmp_path),
    )
    assert loaded.isdisjoint({"celery", "kombu", "django"})
    assert "crawler.run.lifecycle" in loaded  # it has everything that a page needs


def test_start_at_a_shared_redis_loads_no_browser_and_no_display(tmp_path):
    words = ("start", "http://127.0.0.1:1/")
    loaded = modules(tmp_path, *words, status=2, CRAWLER_REDIS_URL="redis://127.0.0.1:1/0")
    assert loaded.isdisjoint({"celery", "selenium", "rich", "crawler.browser.pool"})
    assert "crawler.frontier.frontier" in loaded  # it got as far as asking for Redis


def test_help_of_run_imports_no_celery_and_no_django(tmp_path):
    assert modules(tmp_path, "run", "--help").isdisjoint({"celery", "kombu", "django"})


def test_a_probe_of_the_worker_imports_no_heavy_library(tmp_path):
    words = ("health", "--only", "worker")
    loaded = modules(tmp_path, *words, status=1, CRAWLER_HEARTBEAT_FILE="nowhere")
    assert loaded.isdisjoint(set(HEAVY) - {"pydantic_settings"})


@pytest.mark.parametrize(("name", "module", "summary"), COMMANDS)
def test_a_listed_command_is_the_one_that_its_module_defines(name, module, summary):
    stand_in = main.commands[name]
    command = stand_in.load()
    assert command.name == name
    assert command.callback.__module__ == f"crawler.cli.{module}"
    assert command.get_short_help_str(10_000) == summary


def test_a_misspelt_command_is_told_what_there_is():
    with pytest.raises(click.UsageError) as error:
        main.main(["valdate"], standalone_mode=False)
    assert "validate" in error.value.format_message()
