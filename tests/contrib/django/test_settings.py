"""Settings that a Django project gives, in processes that belong to it; the tests' own process
never sets Django up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.folder import CRAWLER

pytest.importorskip("django", reason="Django is not installed: pip install -e .[django]")

#: Loads our settings for each case that it reads, in a fork: what all need is imported once.
LOAD = """
import json, os, sys
import django
from crawler.config import settings
sys.path.insert(0, "")
for line in sys.stdin:
    folder, environ, setup = json.loads(line)
    if os.fork():
        os.wait()
        continue
    os.chdir(folder)
    os.environ.update(environ)
    if setup:
        django.setup()
    try:
        found = settings.load()
    except settings.SettingsError as error:
        answer = {"error": str(error)}
    else:
        answer = {
            "redis_url": found.redis_url, "broker_url": found.broker_url, "queue": found.queue,
            "crawls": list(found.crawls), "tick_interval": found.tick_interval,
        }
    print(json.dumps(answer), flush=True)
    os._exit(0)
"""


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CRAWLER_", "DJANGO_"))
    }
    with subprocess.Popen(
        [sys.executable, "-c", LOAD],
        cwd=tmp_path_factory.mktemp("loader"),
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


@pytest.fixture
def load(loader: subprocess.Popen[str], tmp_path: Path):
    """Loads our settings in a process of a project with these lines in its settings module."""
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "__init__.py").touch()
    (shop / "crawls.py").write_text(
        "from crawler import Crawl\nfrom django.apps import apps\nassert apps.ready\nbooks ="
        " Crawl(name='books', url='http://x.test/')\n"
    )

    def answer(
        *lines: str,
        apps: str = '["crawler.contrib.django", "shop"]',
        setup: bool = True,
        **environ: str,
    ):
        (tmp_path / "project.py").write_text(
            "\n".join([f"INSTALLED_APPS = {apps}", "SECRET_KEY = 'x'", *lines])
        )
        environ = {"DJANGO_SETTINGS_MODULE": "project", **environ}
        assert loader.stdin is not None
        assert loader.stdout is not None
        loader.stdin.write(json.dumps([str(tmp_path), environ, setup]) + "\n")
        loader.stdin.flush()
        return json.loads(loader.stdout.readline())

    return answer


def test_a_table_single_names_and_the_crawls_of_apps_are_read(load):
    found = load(
        'CRAWLER = {"REDIS_URL": "redis://frontier:6379/3", "TICK_INTERVAL": 5}',
        'CRAWLER_QUEUE = "shop"',
    )
    assert found == {
        "redis_url": "redis://frontier:6379/3",
        "broker_url": "redis://frontier:6379/4",
        "queue": "shop",
        "crawls": ["shop.crawls"],
        "tick_interval": 5.0,
    }


def test_the_project_s_own_broker_is_ours_if_it_is_a_redis(load):
    table = 'CRAWLER = {"REDIS_URL": "redis://frontier:6379/3"}'
    assert (
        load(table, 'CELERY_BROKER_URL = "redis://broker:6379/0"')["broker_url"]
        == "redis://broker:6379/0"
    )
    assert (
        load(table, 'CELERY_BROKER_URL = "amqp://broker"')["broker_url"]
        == "redis://frontier:6379/4"
    )


def test_a_variable_of_the_environment_comes_before_them(load):
    assert load('CRAWLER = {"QUEUE": "shop"}', CRAWLER_QUEUE="other")["queue"] == "other"
    assert load('CRAWLER = {"QUEUE": "shop"}', CRAWLER_QUEUE="")["queue"] == "shop"


def test_they_count_before_the_set_up_of_django_and_crawls_after_it(load):
    found = load('CRAWLER = {"QUEUE": "shop", "CRAWLS": "more.py"}', setup=False)
    assert (found["queue"], found["crawls"]) == ("shop", ["more.py"])


def test_a_project_without_our_app_has_no_say(load):
    assert load('CRAWLER = {"QUEUE": "shop"}', apps='["shop"]')["queue"] == "crawler"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('CRAWLER = "redis://localhost"', "CRAWLER: must be a dict"),
        ('CRAWLER = {"REDIS_ULR": "redis://localhost"}', "redis_ulr: is no setting (redis_url is)"),
        (
            'CRAWLER = {"REDIS_URL": "http://:secret@localhost"}',
            "CRAWLER_REDIS_URL: must begin with redis://",
        ),
        (
            'CRAWLER = {"TICK_INTERVAL": "often"}',
            "CRAWLER_TICK_INTERVAL: input should be a valid number",
        ),
    ],
)
def test_what_is_wrong_with_them_is_one_line(load, line, says):
    error = load(line)["error"]
    assert says in error
    assert "\n" not in error
    assert "secret" not in error


def test_a_broken_settings_module_is_one_line_with_its_remedy(load):
    error = load("import no_such_module", setup=False)["error"]
    assert "no_such_module" in error
    assert "\n" not in error
    error = load(setup=False, DJANGO_SETTINGS_MODULE="elsewhere.settings")["error"]
    assert "elsewhere.settings does not import" in error
    assert "project's folder" in error


def test_a_command_of_ours_finds_the_crawls_of_a_project_by_name(load, tmp_path):
    load()  # writes the project

    def validate(name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [CRAWLER, "validate", name],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "DJANGO_SETTINGS_MODULE": "project"},
            capture_output=True,
            text=True,
            check=False,
        )

    assert validate("books").stdout == "books: well formed; hooks: none\n"
    assert "there is no module bucks" in validate("bucks").stderr
    (tmp_path / "project.py").write_text(
        "INSTALLED_APPS = ['crawler.contrib.django', 'nope']\nSECRET_KEY = 'x'\n"
    )
    broken = validate("books")
    assert broken.returncode == 2
    assert broken.stderr == (
        "Error: DJANGO_SETTINGS_MODULE: project cannot be set up, ModuleNotFoundError: No module"
        " named 'nope'\n"
    )
