"""Django as its users meet it: the example project in processes of its own, with a real Redis, real workers and a real Chrome."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from crawler.embedded import PrivateRedis
from tests.folder import until
from tests.project import ROOT, WORKERS, Project
from tests.site.chromes import needs_chrome

pytest.importorskip("django", reason="Django is not installed: pip install -e .[django]")

SHOP = ROOT / "examples" / "demo" / "serve.py"


IN_LIBRARY = "from crawler.contrib.django.library import library\n"


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """The address of the demo shop."""
    with subprocess.Popen([sys.executable, SHOP], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.kill()


@pytest.fixture(scope="module")
def place(tmp_path_factory, shop) -> Iterator[Project]:
    """The project, migrated."""
    folder = tmp_path_factory.mktemp("django")
    with PrivateRedis(folder / "redis") as redis:
        project = Project(folder, redis, shop)
        project.manage("migrate", "-v", "0")
        yield project


@pytest.fixture
def project(place) -> Project:
    """The project, of whose crawls and books nothing is known."""
    place.python(
        "from crawler.contrib.django.library import library; from catalogue.models import Book\n"
        "library().clear('books'); Book.objects.all().delete(); print(1)"
    )
    return place


def status(project: Project, name: str = "books") -> dict:
    return json.loads(project.manage("crawl_status", name, "--json").stdout)


# -- workers --------------------------------------------------------------------------------------------------------------

#: What a view does, in a transaction, and what its user sees then: a request as a browser makes it, with Selenium out of reach.
VIEW = """
import json, sys
sys.modules["selenium"] = None
from django.contrib.auth.models import User
from django.test import Client
user = User.objects.filter(username="clerk").first() or User.objects.create_superuser("clerk", password="x")
client = Client(); client.force_login(user)
answer = client.post("/refresh/", HTTP_HOST="127.0.0.1")
print(json.dumps([answer.status_code, answer.json()]))
"""


@needs_chrome
@pytest.mark.parametrize("kind", WORKERS)
def test_a_crawl_that_a_view_starts_is_run_and_its_hook_writes_rows_in_a_worker_of(kind, project):
    assert project.python(VIEW) == [200, {"crawl": "books", "status": "NEW"}]
    project.python(IN_LIBRARY + "library().handle('books').frontier.set_limits(page_limit=8); print(1)")
    with project.worker(kind) as worker:
        until(lambda: status(project)["status"] == "FINISHED", worker, 90)
    seen = status(project)
    assert (seen["pages"]["done"], seen["pages"]["failed"]) == (8, 0)
    assert seen["items"] > 0
    assert project.python("from catalogue.models import Book; print(Book.objects.exclude(title='').count())") == seen["items"]
    assert "Traceback" not in project.log("worker.log")
