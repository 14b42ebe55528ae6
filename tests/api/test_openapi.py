"""The API keeps what its description promises: schemathesis sends it thousands of requests, right
and wrong ones.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.api import TOKEN, Service, serving
from tests.support.folder import until
from tests.support.ports import free_port

pytestmark = pytest.mark.slow

#: Requests that are drawn per operation, besides those that cover each bound and each missing or
#: wrong part.
EXAMPLES = 5
#: A stopped job is still there, with its results and its times: DELETE ends it, and forgets
#: nothing.
NOT_OURS = "use_after_free"

#: Requests that wait do so as long as the description allows; orders may have a webhook.
ALL_ON = {"api_wait_max": "0.1", "webhook_secret": "a-secret-for-tests-only"}

#: A Django project in one file, with every thing on that could be in the way.
PROJECT = """
import sys
from django.conf import settings
from django.core.management import execute_from_command_line
from django.urls import include, path

settings.configure(
    DEBUG=False, SECRET_KEY="x", ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "crawler.contrib.django"],
    MIDDLEWARE=[
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "ATOMIC_REQUESTS": True
        }
    },
    CRAWLER={
        "REDIS_URL": sys.argv[2], "API_TOKENS": sys.argv[3], "API_RATE": 0,
        "WEBHOOK_SECRET": "a-secret-for-tests-only",
    },
)
urlpatterns = [path("crawler/", include("crawler.contrib.django.jobs"))]
execute_from_command_line(["manage.py", "runserver", "--noreload", "--skip-checks", sys.argv[1]])
"""


@contextmanager
def project(folder: Path, redis_url: str) -> Iterator[Service]:
    """The API among the URLs of a Django project."""
    (folder / "project.py").write_text(PROJECT)
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CRAWLER_", "DJANGO_"))
    }
    address, log = f"127.0.0.1:{free_port()}", folder / "django.log"
    with log.open("w") as out:
        command = [sys.executable, str(folder / "project.py"), address, redis_url, TOKEN]
        process = subprocess.Popen(
            command, env=environ, stdout=out, stderr=out, text=True, cwd=folder
        )
    service = Service(f"http://{address}/crawler", process, log)

    def answers() -> bool:
        try:
            return service.ask("GET", "/health").status == 200
        except OSError:
            return False

    try:
        until(answers, process)
        yield service
    finally:
        process.kill()
        process.wait()


def keeps_its_promises(service: Service, folder: Path) -> None:
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        "run",
        f"{service.url}/openapi.json",
        "-H",
        f"Authorization: Bearer {TOKEN}",
        "--checks",
        "all",
        "--exclude-checks",
        NOT_OURS,
        "--max-examples",
        str(EXAMPLES),
        "--seed",
        "7",
        "--continue-on-failure",
    ]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "No issues found" in done.stdout
    assert "Operations:       10 selected / 10 total" in done.stdout
    jobs = service.ask("GET", "/jobs?limit=100").json["jobs"]
    assert len(jobs) > 5  # among its requests were orders that were taken


@pytest.mark.usefixtures("redis")
def test_schemathesis_finds_no_fault_in_the_stand_alone_server(redis_server, tmp_path):
    with serving(tmp_path, redis_server.url, **ALL_ON) as service:
        keeps_its_promises(service, tmp_path)
        assert service.log is not None
        assert "Traceback" not in service.log.read_text()


@pytest.mark.soak
@pytest.mark.usefixtures("redis")
def test_schemathesis_finds_no_fault_in_the_urls_of_a_django_project(redis_server, tmp_path):
    pytest.importorskip("django", reason="Django is not installed: pip install -e .[django]")
    with project(tmp_path, redis_server.url) as service:
        keeps_its_promises(service, tmp_path)
        assert service.log is not None
        assert "Traceback" not in service.log.read_text()


@pytest.mark.usefixtures("redis")
def test_both_give_the_same_answers(redis_server, tmp_path):
    pytest.importorskip("django", reason="Django is not installed: pip install -e .[django]")
    asked = [
        ("POST", "/jobs", {"id": "same", "url": "http://93.184.215.14/"}),
        ("POST", "/jobs", {"url": "http://10.0.0.1/"}),
        ("POST", "/jobs", b"{"),
        ("POST", "/jobs", b"x" * 70_000),
        ("DELETE", "/jobs/same", None),
        ("GET", "/jobs/same", None),
        ("GET", "/jobs", None),
        ("GET", "/jobs?cursor=x", None),
        ("PUT", "/jobs", None),
        ("GET", "/jobs/same/results", None),
        ("GET", "/jobs/same/undelivered", None),
        ("POST", "/jobs/same/undelivered", None),
        ("GET", "/jobs/same/failed", None),
        ("POST", "/jobs/same/failed", None),
        ("GET", "/jobs/same?wait=9", None),
        ("GET", "/jobs/same?wait=x", None),
        ("HEAD", "/jobs/same", None),
        ("HEAD", "/jobs/same/results", None),
        ("GET", "/jobs/none", None),
        ("GET", "/health", None),
        ("GET", "/jobs/", None),
    ]
    with serving(tmp_path, redis_server.url) as one, project(tmp_path, redis_server.url) as other:
        one.ask(*asked[0])
        one.ask("DELETE", "/jobs/same")  # so that both meet it as known, and its clock stands still
        for method, path, body in asked:
            first, second = (there.ask(method, path, body) for there in (one, other))
            assert (first.status, first.headers["content-type"]) == (
                second.status,
                second.headers["content-type"],
            ), path
            if "detail" in first.body.decode():
                assert (
                    first.json["detail"].replace(" /openapi", " /crawler/openapi")
                    == second.json["detail"]
                )
            else:
                assert first.body == second.body, path
        assert other.ask("GET", "/jobs", token=None).status == 401
        assert (
            other.ask("POST", "/jobs", {"id": "same", "url": "http://93.184.215.14/"}).headers[
                "location"
            ]
            == "/crawler/jobs/same"
        )
