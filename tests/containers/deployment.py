"""docker-compose.yml, started with all its profiles beside whatever else runs on the machine."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml

from tests.containers.build import OURS
from tests.containers.engine import ROOT, Engine
from tests.containers.growing_site import PORT

T = TypeVar("T")

#: Seconds for what only a fault delays for longer: a container to be well, a crawl to end.
PATIENCE = 240.0
SECRETS = (
    "redis_password", "api_tokens", "webhook_secret", "flower_password", "grafana_password"
)  # fmt: skip
#: The profiles of the file; that of Grafana only where its image can be had.
PROFILES = ("api", "beat", "flower", "monitoring")
PORTS = ("API", "FLOWER", "PROMETHEUS", "ALERTMANAGER", "GRAFANA")
PROJECT = "crawler-test"
#: Browsers of the node: four for the worker, which keeps them, and one to look by.
SESSIONS = 6

#: A crawl with code, in the folder that workers and the API know.
CRAWL = f"""
from crawler import Crawl

books = Crawl(name="books", url="http://site.test:{PORT}/books/0", depth_limit=99)


@books.extract
def title(page):
    return {{"title": page.title}}
"""


class Deployment:
    """The services of docker-compose.yml as containers, and a site on the browsers' network."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.profiles = [*PROFILES, *([] if "REDIS_IMAGE" in engine.images else ["grafana"])]
        self.ports = {name: free_port() for name in PORTS}
        folder.chmod(0o755)
        self.ends = folder / "ends"
        self.ends.mkdir()
        secret_folder = folder / "secrets"
        secret_folder.mkdir(mode=0o700)
        crawls = folder / "crawls"
        crawls.mkdir()
        (crawls / "books.py").write_text(CRAWL)
        self.secrets = {name: secrets.token_hex(24) for name in SECRETS}
        for name, text in self.secrets.items():
            (secret_folder / name).write_text(f"{text}\n")
        self.environ = {
            **engine.images,
            **{f"{name}_PORT": str(port) for name, port in self.ports.items()},
            "COMPOSE_PROJECT_NAME": PROJECT,
            "SECRETS_FOLDER": str(secret_folder),
            "CRAWLS_FOLDER": str(crawls),
            "CRAWLER_CRAWLS": "crawls/books.py",
            "CRAWLER_API_PRIVATE": "true",  # the site has a private address
            "CRAWLER_SCHEDULE": "books 0 3 1 1 *",
            "CHROME_SESSIONS": str(SESSIONS),
            "CHROME_MEMORY": "2g",
            "REDIS_MAXMEMORY": "256mb",
            "REDIS_MEMORY": "512m",
        }
        self._ids: dict[str, str] = {}
        self.services: dict[str, Any] = {
            name: service
            for name, service in yaml.safe_load((ROOT / "docker-compose.yml").read_text())[
                "services"
            ].items()
            if set(service.get("profiles", self.profiles)) & set(self.profiles)
        }

    def __enter__(self) -> Self:
        self.remove()
        try:
            self.compose("up", "-d", "--no-build")
            self._start_site()
            for name in self.services:
                self.until_well(name)
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """End all containers, and forget volumes and networks."""
        remove(self.engine)

    def compose(self, *words: str, check: bool = True, **environ: str) -> str:
        """Return the output of a command on the file."""
        options = [part for name in self.profiles for part in ("--profile", name)]
        self._ids.clear()
        done = self.engine.compose(*options, *words, environ=self.environ | environ, check=check)
        return done.stdout

    def containers(self) -> list[str]:
        """Return the ids of all containers, running or not."""
        return list_containers(self.engine)

    def id(self, service: str) -> str:
        """Return the id of the container of ``service``."""
        if service not in self._ids:
            (self._ids[service],) = list_containers(self.engine, service)
        return self._ids[service]

    def container(self, service: str) -> dict[str, Any]:
        """Return what the engine knows of the container of ``service``."""
        return self.engine.inspect(self.id(service))

    def execute(self, service: str, *words: str, check: bool = True) -> str:
        """Return what a command in the container of ``service`` prints."""
        return self.engine.run("exec", self.id(service), *words, check=check, timeout=600).stdout

    def state(self, service: str) -> str:
        """Return the state of ``service``, and the result of its last health check."""
        state = self.container(service)["State"]
        health = state.get("Health") or state.get("Healthcheck") or {}
        return f"{state['Status']} {health.get('Status', 'unknown')}"

    def is_well(self, service: str) -> bool:
        """Whether ``service`` runs, and its health check says that it is well."""
        if self.engine.checks_by_hand:
            done = self.engine.run("healthcheck", "run", self.id(service), check=False)
            return done.returncode == 0
        return self.state(service) == "running healthy"

    def until_well(self, service: str) -> None:
        """Wait until :meth:`is_well`."""
        self.until(
            lambda: self.is_well(service),
            lambda: f"{service}: {self.state(service)}\n{self.log(service)}",
        )

    def log(self, service: str) -> str:
        """Return the last lines of the log of ``service``."""
        done = self.engine.run("logs", "--tail", "40", self.id(service), check=False)
        return done.stdout + done.stderr

    def address(self, service: str, network: str) -> str | None:
        """Return the address of ``service`` in ``network``; None if it is not there."""
        networks = self.container(service)["NetworkSettings"]["Networks"]
        found = networks.get(f"{PROJECT}_{network}")
        return str(found["IPAddress"]) if found else None

    def kill(self, service: str) -> None:
        """Kill the first process of ``service``, as the kernel does when memory is short, and wait
        until the engine has started another.
        """
        killed = self.container(service)["State"]["Pid"]
        # not by the engine: what it is told to kill stays dead
        os.kill(killed, signal.SIGKILL)
        self.until(
            lambda: self.container(service)["State"]["Pid"] not in (0, killed),
            lambda: f"{service} to be started again: {self.state(service)}",
        )

    @staticmethod
    def until(
        condition: Callable[[], T], what: Callable[[], object], seconds: float = PATIENCE
    ) -> T:
        """Wait until ``condition`` gives something true, and return that."""
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < end, f"waited {seconds:g} s for {what()}"
            time.sleep(0.5)
        return value

    # The jobs API, from outside

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Return the answer of the jobs API; None while it does not answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports['API']}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.secrets['api_tokens']}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                text = answer.read().decode()
        except (OSError, http.client.HTTPException):
            return None
        lines = answer.headers["Content-Type"].startswith("application/x-ndjson")
        return [json.loads(line) for line in text.splitlines()] if lines else json.loads(text)

    def order(self, name: str, **limits: float) -> None:
        """Order a crawl of the site's folder ``name``, which goes on until :meth:`end_site`; the
        site is told of its end.
        """
        # by its address: the API is not on that network, and does not know the name
        networks = self.engine.inspect(f"{PROJECT}-site")["NetworkSettings"]["Networks"]
        address = networks[f"{PROJECT}_browsers"]["IPAddress"]
        site = f"http://{address}:{PORT}"
        body = {"id": name, "url": f"{site}/{name}/0", "webhook": f"{site}/ended"}
        body |= {"depth_limit": None, **limits}
        self.until(lambda: self.ask("POST", "/jobs", body), lambda: f"the order {name}")

    def job(self, name: str) -> dict[str, Any]:
        """Return what the API says of a job, as soon as it answers."""
        answer = self.until(lambda: self.ask("GET", f"/jobs/{name}"), lambda: self.log("api"))
        return dict(answer)

    def until_done(self, name: str, pages: int) -> int:
        """Wait until so many pages of a job are done, and return how many are."""
        return self.until(
            lambda: done if (done := self.job(name)["counts"]["done"]) >= pages else 0,
            lambda: (self.job(name), self.log("worker")),
        )

    def end_site(self, name: str, pages: int = 1) -> None:
        """Let no page of the site's folder ``name`` link beyond the first ``pages``."""
        (self.ends / name).write_text(str(pages))

    def results(self, name: str) -> list[int]:
        """Return the numbers of the pages of a job that has ended, each as often as it was done."""
        ended = ("done", "failed", "stopped")
        self.until(
            lambda: self.job(name)["state"] in ended, lambda: (self.job(name), self.log("worker"))
        )
        return numbers(self.until(lambda: self.ask("GET", f"/jobs/{name}/results"), lambda: name))

    def _start_site(self) -> None:
        """Serve a site of linked pages to the browsers, and to nobody else."""
        code = Path(__file__).with_name("growing_site.py")
        self.engine.run(
            "run", "-d", "--name", f"{PROJECT}-site", "--network", f"{PROJECT}_browsers",
            "--network-alias", "site.test", "-v", f"{code}:/site.py:ro",
            "-v", f"{self.ends}:/ends:ro", OURS, "python", "/site.py", "/ends",
        )  # fmt: skip


def list_containers(engine: Engine, service: str | None = None) -> list[str]:
    """Return the ids of the containers of ``service`` (or of all), running or not."""
    filters = [f"--filter=label=com.docker.compose.project={PROJECT}"]
    if service:
        filters.append(f"--filter=label=com.docker.compose.service={service}")
    return engine.run("ps", "-a", "-q", "--no-trunc", *filters).stdout.split()


def remove(engine: Engine) -> None:
    """End all containers that a :class:`Deployment` has started, and forget what they leave."""
    containers = list_containers(engine)
    engine.run("kill", *containers, check=False)
    # one that others depend on goes with them
    dependent = ("--depend",) if engine.program == "podman" else ()
    for name in (f"{PROJECT}-site", *containers):
        engine.run("rm", "-f", *dependent, name, check=False)
    for kind in ("network", "volume"):
        names = engine.run(kind, "ls", "--format", "{{.Name}}", check=False).stdout.split()
        for name in names:
            if name.startswith(f"{PROJECT}_"):
                engine.run(kind, "rm", name, check=False)


def numbers(results: list[dict[str, Any]]) -> list[int]:
    """Return the numbers of the pages in ``results``, in order."""
    return sorted(int(result["url"].rpartition("/")[2]) for result in results)


def free_port() -> int:
    """Return a port of loopback that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def deployed(engine: Engine, folder: Path) -> Iterator[Deployment]:
    """Start all of it in ``folder``, and remove it in the end."""
    with Deployment(engine, folder) as deployment:
        yield deployment


if __name__ == "__main__":
    remove(Engine.find())
