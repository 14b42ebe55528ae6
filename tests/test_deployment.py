"""The files beside the code that start it in production: what they say is accepted by the programs that read them."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import redis as redis_py

from crawler.embedded import PrivateRedis

ROOT = Path(__file__).resolve().parents[1]

# A worker's command line is written in several places; this is what all of them must say.
WORKER = (
    "celery -A crawler.tasks.app worker -Q crawler -P prefork -c 4 --disable-prefetch -E"
    " -n crawler@%h --without-gossip --without-mingle -l INFO"
)


def compose() -> list[str]:
    """The command that reads docker-compose.yml on this machine."""
    for command in (["docker-compose"], ["docker", "compose"]):
        if shutil.which(command[0]) and not subprocess.run([*command, "version"], capture_output=True, check=False).returncode:
            return command
    pytest.skip("no docker-compose and no docker compose is installed")


def test_docker_compose_accepts_the_file_without_any_variable_set(tmp_path):
    bare = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run([*compose(), "config"], cwd=ROOT, env=bare, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    services = {
        line.strip(" :") for line in done.stdout.partition("services:")[2].splitlines() if line[:3].strip() and line[:2] == "  "
    }
    assert services >= {"redis", "hub", "chrome", "worker", "flower"}


def test_compose_dockerfile_and_readme_describe_the_same_services():
    file, readme = (ROOT / "docker-compose.yml").read_text(), (ROOT / "README.md").read_text()
    section = readme.partition("## Docker")[2].partition("\n## ")[0]
    for service in ("redis", "hub", "chrome", "worker", "flower"):
        assert f"\n  {service}:\n" in file
        assert f"`{service}`" in section
    assert "selenium/hub:${SELENIUM_TAG:-" in file
    tags = {line.partition("SELENIUM_TAG:-")[2].partition("}")[0] for line in file.splitlines() if "SELENIUM_TAG:-" in line}
    assert len(tags) == 1  # hub and node are one release


def test_nothing_is_published_beyond_loopback():
    lines = (ROOT / "docker-compose.yml").read_text().splitlines()
    ports = [line.strip() for number, line in enumerate(lines) if number and lines[number - 1].strip() == "ports:"]
    assert ports
    assert all(port.startswith('- "127.0.0.1:') for port in ports)


def test_a_worker_is_started_alike_everywhere():
    command = next(part for part in (ROOT / "Dockerfile").read_text().split("\n") if part.startswith("CMD"))
    rest = (ROOT / "Dockerfile").read_text().partition(command)[2]
    words = json.loads((command.removeprefix("CMD ").rstrip("\\ ") + rest).replace("\\", ""))
    assert " ".join(words) == WORKER
    assert WORKER in (ROOT / "README.md").read_text()


def test_redis_accepts_its_configuration_and_keeps_what_it_is_given(tmp_path):
    lines = (ROOT / "config" / "redis.conf").read_text().splitlines()
    options = tuple(line for line in lines if line and not line.startswith("#"))
    with PrivateRedis(tmp_path, options=options) as server, redis_py.Redis.from_url(server.url) as client:
        asked = ["maxmemory-policy", "appendonly", "list-compress-depth", "set-max-intset-entries"]
        assert [client.config_get(name)[name] for name in asked] == ["noeviction", "yes", "1", "512"]


FLOWER = """
import sys
from flower import options  # registers Flower's options
from tornado.options import options
options.parse_config_file(sys.argv[1])
print(options.max_tasks, options.purge_offline_workers, len(options.task_runtime_metric_buckets))
"""


def flower(**environment: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("flower", reason="the extra `flower` is not installed")
    bare = {name: value for name, value in os.environ.items() if not name.startswith("FLOWER_")}
    command = [sys.executable, "-c", FLOWER, str(ROOT / "config" / "flowerconfig.py")]
    return subprocess.run(command, env=bare | environment, capture_output=True, text=True, check=False)


def test_flower_accepts_its_configuration():
    done = flower(FLOWER_BASIC_AUTH="me:secret")
    assert done.stdout.split() == ["20000", "3600", "17"], done.stderr


def test_flower_does_not_start_without_a_log_in():
    done = flower()
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("FLOWER_BASIC_AUTH: is not set")


def test_the_documentation_of_settings_is_what_the_code_says():
    spec = importlib.util.spec_from_file_location("make_settings", ROOT / "docs" / "make_settings.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert (ROOT / "docs" / "settings.md").read_text() == made.page(), "run `make docs`"


def rows(text: str) -> dict[str, str]:
    """Names and defaults of the tables in a Markdown text whose first column is a name in code quotes."""
    cells = (line.split("|") for line in text.splitlines() if line.startswith("| `"))
    return {cell[1].strip(): cell[2].strip() for cell in cells if len(cell) > 3}


def test_the_readme_tells_the_same_defaults():
    readme = rows((ROOT / "README.md").read_text())
    settings = rows((ROOT / "docs" / "settings.md").read_text())
    assert len(readme) > 20
    assert readme.items() <= settings.items()
