"""The recipe of docs/django.md, word by word: a project from nothing, two workers, every row."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from crawler.local.embedded import PrivateRedis
from tests.support.folder import until
from tests.support.patience import PATIENCE
from tests.support.postgres import PrivatePostgres

pytest_plugins = ["tests.site.shop"]
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(400)]
pytest.importorskip("django", reason="Django is not installed: pip install -e .[django]")

PAGE = Path(__file__).resolve().parents[3] / "docs" / "django.md"
BIN = Path(sys.executable).parent
#: Prints how many books have all their columns, how many there are, and how many items there were.
ROWS = """
import django; django.setup()
from catalogue.models import Book
from crawler.contrib.django.client import client
whole = Book.objects.exclude(title="").exclude(price="")
items = client().handle("books").snapshot().counts["items"]
print(whole.count(), Book.objects.count(), items)
"""
POSTGRESQL = """
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres"}}
"""


class Recipe:
    """The files and commands of the section "A project from nothing"."""

    def __init__(self, text: str) -> None:
        section = text.partition("## A project from nothing")[2].partition("\n## ")[0]
        shell = re.sub(r"```python\n.*?```", "", section, flags=re.DOTALL)
        blocks = re.findall(r"```\n(.*?)```", shell, re.DOTALL)
        self.begin, self.run = (block.splitlines() for block in blocks)
        self.files = {
            path.replace("\\", ""): (bool(at_end), code)
            for path, at_end, code in re.findall(
                r"\*\*(\S+)\*\*(, at its end)?:\n\n```python\n(.*?)```", section, re.DOTALL
            )
        }


class Place:
    """The folder in which the recipe is followed."""

    def __init__(self, folder: Path, redis: PrivateRedis, shop: str, **environ: str) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        #: What differs here: where things are, the shop's own tags, and how much is crawled.
        self.changes = {
            "redis://localhost:6379/0": redis.url,
            "redis://localhost:6379/1": redis.broker_url,
            "https://books.toscrape.com/": shop,
            "delay=0.5": "page_limit=15",
            "article.product_page": "article.book",
            ".price_color": ".price",
        }
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CRAWLER_", "CELERY_", "DJANGO_"))
        }
        self.environ = clean | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "CRAWLER_TICK_INTERVAL": "1",
            "CRAWLER_STATE_DIR": str(folder / "state"),
            "PYTHONDONTWRITEBYTECODE": "1",
            **environ,
        }

    def do(self, line: str) -> str:
        """Return what a command of the recipe prints; it must end well."""
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=150,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stdout

    def write(self, path: str, at_end: bool, code: str) -> None:
        """Write a file of the recipe, or what comes to its end."""
        for old, new in self.changes.items():
            code = code.replace(old, new)
        file = self.folder / path
        file.write_text((file.read_text() if at_end else "") + code)

    @contextmanager
    def worker(self, line: str, log: Path) -> Iterator[None]:
        """A worker of the recipe, when it is ready."""
        with (
            log.open("w") as out,
            subprocess.Popen(
                [*shlex.split(line), "-l", "INFO"],
                cwd=self.folder,
                env=self.environ,
                stdout=out,
                stderr=out,
            ) as process,
        ):
            try:
                until(lambda: " ready." in log.read_text(errors="replace"), process)
                yield
            finally:
                process.terminate()
                process.wait(PATIENCE)


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.soak)])
def test_the_recipe_of_the_documentation_writes_every_row(database, tmp_path, shop):
    recipe = Recipe(PAGE.read_text())
    workers = [line for line in recipe.run if line.startswith("celery ")]
    *commands, crawl = [line for line in recipe.run if line not in workers]
    assert len(workers) == 2
    with ExitStack() as ending:
        environ = {}
        if database == "postgresql":
            postgres = PrivatePostgres()
            ending.callback(postgres.stop)
            until(postgres.answers, postgres.process)
            environ = postgres.environ
        redis = ending.enter_context(PrivateRedis(tmp_path / "redis"))
        place = Place(tmp_path, redis, shop, **environ)
        # Given a project that was made as the page says
        for line in recipe.begin:
            if not line.startswith("pip "):
                place.do(line)
        for path, (at_end, code) in recipe.files.items():
            place.write(path, at_end, code)
        if database == "postgresql":
            place.write("shop/settings.py", True, POSTGRESQL)
        for line in commands:
            place.do(line)
        # When two workers crawl
        for number, line in enumerate(workers):
            ending.enter_context(place.worker(line, tmp_path / f"{number}.log"))
        said = place.do(crawl)
        # Then each book that was met has its row
        assert "15 done, 0 failed" in said
        place.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
        counts = place.do(f"{sys.executable} -c {shlex.quote(ROWS)}").split()
    whole, rows, items = map(int, counts)
    assert whole == rows == items > 0
