"""docker-compose.yml, started with all its profiles beside whatever else runs on the machine."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml

from tests.containers.build import NEXT, OURS
from tests.containers.engine import ROOT, Engine

T = TypeVar("T")

#: Seconds for what only a fault delays for longer: a container to be well, a crawl to end.
PATIENCE = 240.0
#: Seconds between two rounds of health checks where no systemd makes them.
ROUND = 3.0
SECRETS = ("redis_password", "api_tokens", "flower_password", "grafana_password")
#: The profiles of the file; that of Grafana only where its image can be had.
PROFILES = ("api", "beat", "flower", "monitoring")
PORTS = ("API", "FLOWER", "PROMETHEUS", "ALERTMANAGER", "GRAFANA")
PROJECT = "crawler-test"


class Deployment:
    """The services of docker-compose.yml as containers, and a site on the browsers' network."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.profiles = [*PROFILES, *([] if "REDIS_IMAGE" in engine.images else ["grafana"])]
        self.ports = {name: free_port() for name in PORTS}
        secret_folder = folder / "secrets"
        secret_folder.mkdir(mode=0o700)
        self.secrets = {name: secrets.token_hex(24) for name in SECRETS}
        for name, text in self.secrets.items():
            (secret_folder / name).write_text(f"{text}\n")
        self.environ = {
            **engine.images,
            **{f"{name}_PORT": str(port) for name, port in self.ports.items()},
            "COMPOSE_PROJECT_NAME": PROJECT,
            "SECRETS_FOLDER": str(secret_folder),
            "CRAWLER_API_PRIVATE": "true",  # the site has a private address
            "CRAWLER_SCHEDULE": "books 0 3 1 1 *",
            "CHROME_SESSIONS": "6",  # four for the worker, which keeps them, and one to look
            "CHROME_MEMORY": "2g",
            "REDIS_MAXMEMORY": "256mb",
            "REDIS_MEMORY": "512m",
        }
        self.services: dict[str, Any] = {
            name: service
            for name, service in yaml.safe_load((ROOT / "docker-compose.yml").read_text())[
                "services"
            ].items()
            if set(service.get("profiles", self.profiles)) & set(self.profiles)
        }
        self._over = threading.Event()
        self._rounds = threading.Thread(target=self._check_health, daemon=True)

    def __enter__(self) -> Self:
        self.remove()
        try:
            self.compose("up", "-d", "--no-build")
            self._rounds.start()
            self._start_site()
            for name in self.services:
                self.until_well(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.remove()

    def remove(self) -> None:
        """End all containers, and forget volumes and networks."""
        self.engine.run("rm", "-f", f"{PROJECT}-site", check=False)
        self.compose("down", "-v", "-t", "5", check=False)

    def compose(self, *words: str, check: bool = True, **environ: str) -> str:
        """Return what a command on the file says."""
        options = [part for name in self.profiles for part in ("--profile", name)]
        done = self.engine.compose(*options, *words, environ=self.environ | environ, check=check)
        return done.stdout

    def containers(self, service: str | None = None) -> list[str]:
        """The ids of the containers of ``service`` (or of all), running or not."""
        filters = [f"--filter=label=com.docker.compose.project={PROJECT}"]
        if service:
            filters.append(f"--filter=label=com.docker.compose.service={service}")
        return self.engine.run("ps", "-a", "-q", "--no-trunc", *filters).stdout.split()

    def container(self, service: str) -> dict[str, Any]:
        """What the engine knows of the container of ``service``."""
        (one,) = self.containers(service)
        return self.engine.inspect(one)

    def execute(self, service: str, *words: str, check: bool = True) -> str:
        """Return what a command in the container of ``service`` prints."""
        (one,) = self.containers(service)
        return self.engine.run("exec", one, *words, check=check, timeout=600).stdout

    def health(self, service: str) -> str:
        """What became of the last health check of ``service``."""
        state = self.container(service)["State"]
        health = state.get("Health") or state.get("Healthcheck") or {}
        return f"{state['Status']} {health.get('Status', 'unknown')}"

    def until_well(self, service: str) -> None:
        """Wait until ``service`` runs and its health check says that it is well."""
        self.until(
            lambda: self.health(service) == "running healthy",
            lambda: f"{service}: {self.health(service)}\n{self.said(service)}",
        )

    def said(self, service: str) -> str:
        """The last lines of the log of ``service``."""
        (one,) = self.containers(service)
        done = self.engine.run("logs", "--tail", "40", one, check=False)
        return done.stdout + done.stderr

    def address(self, service: str, network: str) -> str | None:
        """The address of ``service`` in ``network``; None if it is not there."""
        networks = self.container(service)["NetworkSettings"]["Networks"]
        found = networks.get(f"{PROJECT}_{network}")
        return str(found["IPAddress"]) if found else None

    def kill(self, service: str) -> None:
        """Kill the first process of ``service``, as the kernel does when memory is short."""
        # not by the engine: what it is told to kill stays dead
        os.kill(self.container(service)["State"]["Pid"], signal.SIGKILL)

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
        """Order a crawl of the whole site."""
        # by its address: the API is not on that network, and does not know the name
        networks = self.engine.inspect(f"{PROJECT}-site")["NetworkSettings"]["Networks"]
        address = networks[f"{PROJECT}_browsers"]["IPAddress"]
        body = {"id": name, "url": f"http://{address}:8080/", "depth_limit": 9, **limits}
        self.until(lambda: self.ask("POST", "/jobs", body), lambda: f"the order {name}")

    def done(self, name: str) -> int:
        """How many pages of a job are done."""
        return int((self.ask("GET", f"/jobs/{name}") or {"counts": {"done": 0}})["counts"]["done"])

    def until_done(self, name: str, pages: int) -> None:
        """Wait until a job has done ``pages``."""
        self.until(lambda: self.done(name) >= pages, lambda: self.ask("GET", f"/jobs/{name}"))

    def results(self, name: str) -> list[str]:
        """The paths of the pages of a job that has ended, each as often as it was done."""
        ended = ("done", "failed", "stopped")
        self.until(
            lambda: (self.ask("GET", f"/jobs/{name}") or {}).get("state") in ended,
            lambda: (self.ask("GET", f"/jobs/{name}"), self.said("worker")),
        )
        lines = self.until(lambda: self.ask("GET", f"/jobs/{name}/results"), lambda: "results")
        return sorted(line["url"].rpartition(":8080")[2] for line in lines)

    def _start_site(self) -> None:
        """Serve a site of linked pages to the browsers, and to nobody else."""
        site = self.folder / "site"
        site.mkdir()
        for number in range(PAGES):
            links = "".join(f'<a href="page-{one}.html">{one}</a> ' for one in range(1, PAGES))
            name = "index.html" if not number else f"page-{number}.html"
            (site / name).write_text(f"<title>{number}</title><h1>Page {number}</h1>{links}")
        self.folder.chmod(0o755)
        self.engine.run(
            "run", "-d", "--name", f"{PROJECT}-site", "--network", f"{PROJECT}_browsers",
            "--network-alias", "site.test", "-v", f"{site}:/site:ro", OURS,
            "python", "-m", "http.server", "8080", "-d", "/site",
        )  # fmt: skip

    def _check_health(self) -> None:
        """Have health checks made where the engine leaves that to a systemd that is not here."""
        while not self._over.wait(ROUND):
            if self.engine.program != "podman" or Path("/run/systemd/system").is_dir():
                return
            with contextlib.suppress(Exception):
                for one in self.containers():
                    self.engine.run("healthcheck", "run", one, check=False)


#: Pages of the site.
PAGES = 24
NEXT_IMAGE = {"CRAWLER_IMAGE": NEXT}


def site_paths() -> list[str]:
    """The paths of all pages of the site, in order."""
    return sorted(["/", *(f"/page-{number}.html" for number in range(1, PAGES))])


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
