"""The example project of Django as a user has it: a folder of its own, a database, a server, and
workers, all as processes.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import redis as redis_py

from crawler.frontier.frontier import Frontier
from crawler.local.embedded import PrivateRedis
from tests.support.folder import until
from tests.support.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SETUP = "import django; django.setup()\n"
#: The two workers that can run a project's crawls, as their documentation starts them.
WORKERS: Mapping[str, tuple[str, ...]] = {
    "the project's app": ("-A", "shop"),
    "our own app": ("-A", "crawler.tasks.app"),
}
#: Makes a superuser, and one user for each kind of permission.
USERS = """
from django.contrib.auth.models import Permission, User
User.objects.create_superuser("ada", password="x", first_name="Ada")
ours = Permission.objects.filter(content_type__app_label="crawler")
users = {"looker": ["view_crawl"], "operator": ["operate_crawl"], "stranger": []}
for name, permissions in users.items():
    user = User.objects.create_user(name, password="x", is_staff=True)
    user.user_permissions.set(ours.filter(codename__in=permissions))
print(1)
"""


#: Does the steps in its argument, and prints what became of each.
SESSION = """
import contextlib, io, json, sys
import django
from django.core.management import execute_from_command_line
django.setup()
found = []
for step in json.loads(sys.argv[1]):
    out, err, status = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            if isinstance(step, str):
                exec(step, {"__name__": "__main__"})
            else:
                execute_from_command_line(["manage.py", *step])
        except SystemExit as end:
            status = end.code or 0
    found.append([status, out.getvalue(), err.getvalue()])
print(json.dumps(found))
"""


class Done(NamedTuple):
    """What became of a step of a session."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """Its last line."""
        return json.loads(self.stdout.splitlines()[-1])


class Project:
    """A copy of examples/django in ``folder``, on a Redis of its own, and a site to crawl; its
    database is a copy of ``database``. None: there is none yet.
    """

    def __init__(
        self,
        folder: Path,
        redis: PrivateRedis,
        site: str,
        database: Path | None = None,
        **environ: str,
    ) -> None:
        self.folder, self.redis = folder / "project", redis
        self.database = folder / "db.sqlite3"
        if database:
            shutil.copy(database, self.database)
        shutil.copytree(
            ROOT / "examples" / "django",
            self.folder,
            ignore=shutil.ignore_patterns("__pycache__", "db.sqlite3"),
        )
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CRAWLER_", "CELERY_"))
        }
        self.environ = clean | {
            "DJANGO_SETTINGS_MODULE": "shop.settings",
            "SHOP_DATABASE": str(self.database),
            "SHOP_URL": site,
            "SHOP_DELAY": "0",
            "REDIS_URL": redis.url,
            "BROKER_URL": redis.broker_url,
            "CRAWLER_TICK_INTERVAL": "1",
            "CRAWLER_STATE_DIR": str(folder / "state"),
            "PYTHONDONTWRITEBYTECODE": "1",
            **environ,
        }

    def frontier(self, name: str = "books") -> Frontier:
        """A crawl, seen without a process of the project."""
        return Frontier(redis_py.Redis(unix_socket_path=str(self.redis.socket)), name)

    def forget(self) -> None:
        """Empty Redis and the table of books."""
        redis_py.Redis(unix_socket_path=str(self.redis.socket)).flushall()
        with closing(sqlite3.connect(self.database, timeout=20)) as database, database:
            for table in (
                "catalogue_book",
                "crawler_store_storedresult",
                "crawler_store_storedcrawl",
            ):
                database.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names

    def edit(self, name: str, old: str, new: str) -> None:
        """Change a file of this copy."""
        path = self.folder / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def manage(
        self, *words: str, status: int = 0, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """What ``manage.py`` says; it must end with ``status``, and never with a traceback."""
        done = self.run([sys.executable, "manage.py", *words], **environ)
        assert done.returncode == status, (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done

    def python(self, code: str, **environ: str) -> Any:
        """What ``code``, which runs in the project after Django's set-up, prints as JSON in its
        last line.
        """
        done = self.run([sys.executable, "-c", SETUP + code], **environ)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def session(self, *steps: str | tuple[str, ...]) -> list[Done]:
        """Do ``steps`` in one process, each as if it were alone there: the words of a command of
        ``manage.py``, or code. A process for each would take a second.
        """
        done = self.run([sys.executable, "-c", SESSION, json.dumps(steps)])
        assert done.returncode == 0, done.stderr
        found = [Done(*one) for one in json.loads(done.stdout.splitlines()[-1])]
        assert not any("Traceback" in one.stderr for one in found), found
        return found

    def run(self, command: list[str], **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    @contextmanager
    def running(
        self, *command: str | Path, log: str, ready: Callable[[str], bool]
    ) -> Iterator[subprocess.Popen[str]]:
        """A process of the project; entered when it is ``ready`` by what it says."""
        path = self.folder.parent / log
        with (
            path.open("w") as out,
            subprocess.Popen(
                [str(word) for word in command],
                cwd=self.folder,
                env=self.environ,
                stdout=out,
                stderr=out,
                text=True,
            ) as process,
        ):
            try:
                until(lambda: ready(path.read_text(errors="replace")), process)
                yield process
            finally:
                process.terminate()
                try:
                    process.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    process.kill()

    def worker(self, kind: str, *more: str, log: str = "worker.log") -> Any:
        """A worker of that kind, for the crawler's queue."""
        command = (
            BIN / "celery",
            *WORKERS[kind],
            "worker",
            "-Q",
            "crawler",
            "-c",
            "1",
            "--disable-prefetch",
            "-l",
            "INFO",
            *more,
        )
        return self.running(*command, log=log, ready=lambda said: " ready." in said)

    def log(self, name: str) -> str:
        return (self.folder.parent / name).read_text(errors="replace")
