"""The oldest Django that is promised, beside the one that is installed: it is fetched, or comes
from pip's cache.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from crawler.local.embedded import PrivateRedis
from tests.support.project import USERS, Project

pytestmark = pytest.mark.slow

pytest.importorskip("django", reason="Django is not installed: pip install -e .[django]")

OLDEST = "4.2"
PAGES = """
import json, django
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("check", fail_level="WARNING")
call_command("makemigrations", check=True, dry_run=True)
USERS
from django.contrib.auth.models import User
from django.test import Client
from crawler.contrib.django.client import client as our_client
client = Client(headers={"host": "127.0.0.1"})
client.force_login(User.objects.get(username="ada"))
started = client.post("/refresh/").json()
base = "/admin/crawler/crawl/"
pages = ("", "books/change/", "books/failed/", "+live/?name=books", "books/live/", "books/hosts/")
pages = [client.get(base + page).status_code for page in pages]
pages.append(client.get("/admin/crawler_store/storedresult/").status_code)
pages.append(client.post(base + "books/do/stop/", {"sure": "1"}).status_code)
call_command("crawl_store")
print(json.dumps([django.get_version(), started, pages, our_client().handle("books").status]))
""".replace("USERS", USERS)


@pytest.fixture
def oldest(tmp_path) -> str:
    """A folder with the oldest Django."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        "--no-input",
        "--no-compile",
        "--target",
    ]
    done = subprocess.run(
        [*command, tmp_path / "lib", f"django=={OLDEST}.*"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and "connection" in done.stderr.lower() and not os.environ.get("CI"):
        pytest.skip("pip cannot reach its index")
    assert done.returncode == 0, done.stderr
    return str(tmp_path / "lib")


def test_the_oldest_django_migrates_starts_and_shows_crawls(oldest, tmp_path):
    with PrivateRedis(tmp_path / "redis") as redis:
        project = Project(tmp_path, redis, "http://x.test/", PYTHONPATH=oldest)
        # in one process: it compiles all of that Django
        shown, reset = project.session(PAGES, ("crawl", "books", "--reset", "--json"))
        version, started, pages, status = shown.json
        assert version.startswith(OLDEST)
        assert started == {"crawl": "books", "outcome": "started", "reason": None}
        assert pages == [200] * 7 + [302]
        assert status == "STOPPED"
        assert reset.json["outcome"] == "started"
