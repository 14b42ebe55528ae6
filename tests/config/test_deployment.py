"""The files beside the code that start it in production: what they say is accepted by the programs
that read them.
"""

# ruff: noqa: S310 - the addresses are our own
from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_py
import yaml

from crawler.config.settings import Settings, environment
from crawler.local.embedded import PrivateRedis
from tests.support.generated import page_of
from tests.support.ground import Ground, shop
from tests.support.patience import PATIENCE
from tests.support.ports import free_ports
from tests.support.webdriver import Doc

ROOT = Path(__file__).resolve().parents[2]

# A worker's command line is written in several places; this is what all of them must say.
WORKER = (
    "celery -A crawler.tasks.app worker -Q crawler -P prefork -c 4 --disable-prefetch -E"
    " -n crawler@%h --without-gossip --without-mingle -l INFO"
)

WORKER_PODS = "config/kubernetes/worker.yaml"

SERVICES = (
    "redis", "hub", "chrome", "worker", "api", "beat", "metrics", "flower", "prometheus",
    "alertmanager", "grafana", "load", "load-api", "load-worker", "load-site",
)  # fmt: skip


def compose() -> list[str]:
    """The command that reads docker-compose.yml on this machine."""
    for command in (["docker-compose"], ["docker", "compose"]):
        if (
            shutil.which(command[0])
            and not subprocess.run(
                [*command, "version"], capture_output=True, check=False
            ).returncode
        ):
            return command
    pytest.skip("no docker-compose and no docker compose is installed")


def test_docker_compose_accepts_the_file_without_any_variable_set(tmp_path):
    bare = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        [*compose(), "config"], cwd=ROOT, env=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    services = {
        line.strip(" :")
        for line in done.stdout.partition("services:")[2].splitlines()
        if line[:3].strip() and line[:2] == "  "
    }
    assert services >= set(SERVICES)


def test_compose_dockerfile_and_readme_describe_the_same_services():
    file, readme = (ROOT / "docker-compose.yml").read_text(), (ROOT / "README.md").read_text()
    section = readme.partition("## Docker")[2].partition("\n## ")[0]
    for service in SERVICES:
        assert f"\n  {service}:\n" in file
        assert f"`{service}`" in section
    images = {name: service["image"] for name, service in services().items()}
    grid = {images[name].rpartition(":")[2] for name in ("hub", "chrome")}
    assert len(grid) == 1  # hub and node are one release
    others = [image for image in images.values() if "celery-crawler" not in image]
    # one is named whole, registry and version, so that Podman finds it and an update is a decision
    assert [one for one in others if not re.search(r":-docker\.io/.+/.+:v?\d+\.\d+", one)] == []


def test_nothing_is_published_beyond_loopback():
    lines = (ROOT / "docker-compose.yml").read_text().splitlines()
    ports = [
        line.strip()
        for number, line in enumerate(lines)
        if number and lines[number - 1].strip() == "ports:"
    ]
    assert ports
    assert all(port.startswith('- "127.0.0.1:') for port in ports)


def test_pages_in_chrome_are_on_a_network_of_their_own():
    networks = {name: set(service["networks"]) for name, service in services().items()}
    assert {name for name, on in networks.items() if "browsers" in on} == {
        "hub",
        "chrome",
        "worker",
        "load-worker",
        "load-site",
    }
    assert networks["chrome"] == networks["hub"] == networks["load-site"] == {"browsers"}


def test_secrets_are_distinct_and_given_to_those_that_need_them():
    file = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert len({one["file"] for one in file["secrets"].values()}) == len(file["secrets"]) == 5
    given = {name: set(service.get("secrets", ())) for name, service in services().items()}
    for name in ("hub", "chrome", "prometheus", "alertmanager", "load-site"):
        assert given[name] == set()
    assert given["redis"] == {"redis_password"}
    # it signs the webhooks of jobs, for which the API takes the orders
    assert given["worker"] == {"redis_password", "webhook_secret"}
    assert given["api"] == {"redis_password", "api_tokens", "webhook_secret"}
    # and each document that says how they are made makes all of them
    made = re.compile(r"for name in ([a-z_ ]+);")
    for name in ("docker-compose.yml", "README.md"):
        (names,) = made.findall((ROOT / name).read_text())
        assert set(names.split()) == set(file["secrets"]), name
    pods = (ROOT / WORKER_PODS).read_text()
    words = re.search(r"from-file=secrets/%s ' ([a-z_ ]+)\)", pods)
    assert words[1] == made.findall(pods)[0]
    assert set(words[1].split()) == set(file["secrets"]) - {"grafana_password"}


def test_a_worker_is_started_alike_everywhere():
    dockerfile = (ROOT / "Dockerfile").read_text()
    words = json.loads(dockerfile.rpartition("\nCMD ")[2].replace("\\\n", ""))
    assert " ".join(words) == WORKER
    assert WORKER in (ROOT / "README.md").read_text()


def test_the_image_has_the_extras_and_folders_that_services_need():
    dockerfile = (ROOT / "Dockerfile").read_text()
    extras = set(re.findall(r'^ARG EXTRAS="([a-z ]+)"$', dockerfile, re.MULTILINE)[0].split())
    assert extras == {"embedded", "flower", "load", "metrics", "serve"}
    for service in services().values():
        for volume in service.get("volumes", ()):
            source, target = volume.split(":")[:2]
            if source.isalpha() and target.startswith("/home/crawler"):
                assert f" {target}" in dockerfile


def test_hadolint_accepts_the_dockerfile():
    done = subprocess.run(
        [program("hadolint"), str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_alertmanager_accepts_its_configuration():
    file = ROOT / "config" / "alertmanager.yml"
    done = subprocess.run(
        [program("amtool"), "check-config", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (target,) = yaml.safe_load((ROOT / "config" / "prometheus.yml").read_text())["alerting"][
        "alertmanagers"
    ][0]["static_configs"][0]["targets"]
    assert target == "alertmanager:9093"


def test_redis_accepts_its_configuration_and_keeps_what_it_is_given(tmp_path):
    lines = (ROOT / "config" / "redis.conf").read_text().splitlines()
    options = tuple(line for line in lines if line and not line.startswith("#"))
    with (
        PrivateRedis(tmp_path, options=options) as server,
        redis_py.Redis.from_url(server.url) as client,
    ):
        asked = ["maxmemory-policy", "appendonly", "list-compress-depth", "set-max-intset-entries"]
        assert [client.config_get(name)[name] for name in asked] == [
            "noeviction",
            "yes",
            "1",
            "512",
        ]


FLOWER = """
import sys
from flower import options  # registers Flower's options
from tornado.options import options
options.parse_config_file(sys.argv[1])
print(options.max_tasks, options.purge_offline_workers, len(options.task_runtime_metric_buckets))
print(options.address)
"""


def flower(**environment: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("flower", reason="the extra `flower` is not installed")
    bare = {name: value for name, value in os.environ.items() if not name.startswith("FLOWER_")}
    command = [sys.executable, "-c", FLOWER, str(ROOT / "config" / "flowerconfig.py")]
    return subprocess.run(
        command, env=bare | environment, capture_output=True, text=True, check=False
    )


def test_flower_accepts_its_configuration():
    done = flower(FLOWER_BASIC_AUTH="me:secret")
    assert done.stdout.split() == ["20000", "3600", "17", "127.0.0.1"], done.stderr


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "FLOWER_BASIC_AUTH: is not set"),
        ({"FLOWER_AUTH_PROVIDER": "flower.views.auth.GithubLoginHandler"}, "FLOWER_BASIC_AUTH: is"),
        ({"FLOWER_AUTH": "me@example.com"}, "FLOWER_BASIC_AUTH: is not set"),
        ({"FLOWER_BASIC_AUTH": "me:secret,you:"}, "FLOWER_BASIC_AUTH: must be user:password"),
        ({"FLOWER_PASSWORD_FILE": "/dev/null"}, "FLOWER_PASSWORD_FILE: /dev/null is empty"),
        ({"FLOWER_PASSWORD_FILE": "/nowhere"}, "FLOWER_PASSWORD_FILE: /nowhere cannot be read"),
    ],
)
def test_flower_does_not_start_without_a_log_in(environment, said):
    done = flower(**environment)
    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == 1


def test_variables_of_flower_win_over_our_file():
    done = flower(FLOWER_BASIC_AUTH="me:secret", FLOWER_MAX_TASKS="7", FLOWER_ADDRESS="10.0.0.7")
    assert done.stdout.split()[0] != "20000"
    assert done.stdout.split()[-1] != "127.0.0.1"


def test_the_documentation_of_settings_is_what_the_code_says():
    page = (ROOT / "docs" / "settings.md").read_text()
    assert page == page_of("make_settings"), "run `make docs`"


def rows(text: str) -> dict[str, str]:
    """Names and defaults of the tables in a Markdown text whose first column is one whole name in
    code quotes; of two rows of one name the first, as the second says less.
    """
    cells = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
    return {
        cell[1].strip(): cell[2].strip()
        for cell in reversed(cells)
        if len(cell) > 3 and not {",", "…"} & set(cell[1])
    }


def test_the_readme_tells_the_same_defaults():
    readme = rows((ROOT / "README.md").read_text())
    settings = rows((ROOT / "docs" / "settings.md").read_text())
    assert len(readme) > 20
    assert readme.items() <= settings.items()


def services() -> dict[str, dict]:
    """What docker-compose.yml says of each service."""
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def program(name: str) -> str:
    """A program of this machine, or of this environment."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        needs(name)
    return found or name


def needs(what: str) -> None:
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is not installed")


def test_every_service_is_bounded_watched_and_reads_secret_files():
    for name, service in services().items():
        assert service["healthcheck"]["test"], name
        assert service["restart"] == "unless-stopped", name
        assert service["mem_limit"], name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name
        for key, value in service.get("environment", {}).items():
            secret = any(word in key for word in ("PASSWORD", "TOKEN", "SECRET"))
            assert not secret or str(value).startswith("/run/secrets/"), (name, key)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    there = Ground(tmp_path)
    yield there
    there.close()


@pytest.mark.slow
def test_the_command_line_of_each_service_works_as_it_is_written(ground: Ground):
    """As local processes, with other addresses and folders; browsers are scripted. The programs and
    images of others are in tests/containers.
    """
    ground.chrome_on({"/": Doc()})
    settings = ground.settings(heartbeat_file=ground.folder / "alive", events=True)
    password, tokens = ground.folder / "password", ground.folder / "tokens"
    password.write_text("a-long-password\n")
    tokens.write_text("a-long-random-text\n")
    usual = ("6379", "9808", "5555", "8000")
    ports = dict(zip(usual, map(str, free_ports(len(usual))), strict=True))
    places = {
        "/etc/redis.conf": str(ROOT / "config" / "redis.conf"),
        "/data": str(ground.folder),
        "/run/secrets/redis_password": str(password),
        "/home/crawler/beat/schedule": str(ground.folder / "schedule"),
        "0.0.0.0": "127.0.0.1",
        **ports,
    }

    def here(words: list[str]) -> list[str]:
        # all at once: a port of ours may hold the digits of another
        written = re.compile("|".join(map(re.escape, places)))
        words = [written.sub(lambda found: places[found[0]], word) for word in words]
        words = [word.replace("$$", "$") for word in words]
        return [program(words[0]), *words[1:]]

    file = services()
    ours = ("metrics", "flower", "api", "beat")
    commands = {name: here(file[name]["command"]) for name in ("redis", *ours)} | {
        "worker": here(shlex.split(WORKER.replace("-c 4", "-c 1")))
    }
    commands["redis"][-1] += f" --port {ports['6379']}"
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CRAWLER_", "FLOWER_"))
    }
    environ |= environment(settings) | {
        "FLOWER_PASSWORD_FILE": str(password),
        "CRAWLER_API_TOKENS_FILE": str(tokens),
        "CRAWLER_WEBHOOK_SECRET_FILE": str(tokens),
        "CRAWLER_SCHEDULE": "shop 0 3 1 1 *",
        "REDIS_MAXMEMORY": file["redis"]["environment"]["REDIS_MAXMEMORY"].strip("${}")[-3:],
        "PYTHONUNBUFFERED": "1",
    }
    started = {}
    try:
        for name, command in commands.items():
            with (ground.folder / f"{name}.out").open("wb") as out:
                started[name] = subprocess.Popen(
                    command, env=environ, cwd=ground.folder, stdout=out, stderr=out
                )

        def answers(url: str) -> bool:
            assert [name for name, process in started.items() if process.poll() is not None] == []
            try:
                return urllib.request.urlopen(url, timeout=PATIENCE).status == 200
            except OSError:
                return False

        def pings() -> bool:
            with redis_py.Redis(
                port=int(ports["6379"]), password=password.read_text().strip()
            ) as client:
                try:
                    return (
                        bool(client.ping())
                        and client.config_get("appendonly")["appendonly"] == "yes"
                        and client.config_get("maxmemory")["maxmemory"] == str(2 << 30)
                    )
                except redis_py.ConnectionError:
                    return False

        ground.until(pings)
        ground.until_end(ground.crawl(shop()))
        for name, port, path in (
            ("metrics", "9808", "/metrics"),
            ("flower", "5555", "/healthcheck"),
            ("api", "8000", "/health"),
        ):
            assert path.strip("/") in str(file[name]["healthcheck"]["test"])
            ground.until(
                lambda port=port, path=path: answers(f"http://127.0.0.1:{ports[port]}{path}")
            )
        for name in ("worker", "beat"):
            check = file[name]["healthcheck"]["test"][1:]
            probe = [program(check[0]), *check[1:]]
            ground.until(
                lambda probe=probe: (
                    subprocess.run(probe, env=environ, capture_output=True, check=False).returncode
                    == 0
                )
            )
        # a service without its log-in does not begin
        bare = {name: value for name, value in environ.items() if "PASSWORD" not in name}
        done = subprocess.run(
            commands["flower"], env=bare, capture_output=True, text=True, check=False
        )
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    finally:
        for process in started.values():
            process.kill()
            process.wait()


def test_systemd_accepts_the_units(tmp_path):
    if shutil.which("systemd-analyze") is None:
        # a CI container has no systemd, and need not
        pytest.skip("systemd-analyze is not installed")
    units = sorted((ROOT / "config" / "systemd").iterdir())
    assert len(units) >= 8
    for unit in units:
        assert "\nUser=crawler\n" in unit.read_text() or unit.name in (
            "crawler-restart.service",  # gives systemd an order, and does nothing else
            "crawler-health.timer",
        )
        text = unit.read_text().replace("/opt/crawler/bin", str(Path(sys.executable).parent))
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit.name) for unit in units)],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if "crawler-" in line]
    assert (done.returncode, said) == (0, []), done.stderr


def test_a_worker_may_take_as_long_to_end_as_its_pages():
    longest = Settings().hard_timeout
    unit = (ROOT / "config" / "systemd" / "crawler-worker.service").read_text()
    assert int(re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)[0]) > longest
    assert int(services()["worker"]["stop_grace_period"].removesuffix("s")) > longest
    pods = (ROOT / "config" / "kubernetes" / "worker.yaml").read_text()
    assert int(re.findall(r"terminationGracePeriodSeconds: (\d+)", pods)[0]) > longest
    assert WORKER.replace("%%h", "%h") in unit.replace("%%h", "%h")


def test_kubernetes_accepts_the_manifests():
    try:
        import kubernetes_validate
    except ImportError:
        needs("kubernetes-validate")
    kinds = []
    for path in sorted((ROOT / "config" / "kubernetes").glob("*.yaml")):
        for manifest in yaml.safe_load_all(path.read_text()):
            kinds.append(manifest["kind"])
            if manifest["kind"] != "ScaledObject":
                kubernetes_validate.validate(manifest, "1.30", strict=True)
    assert Counter(kinds) == {
        "ConfigMap": 1, "Deployment": 5, "Service": 3, "NetworkPolicy": 5,
        "PodDisruptionBudget": 2, "ScaledObject": 1,
    }  # fmt: skip


def test_pods_are_confined_probed_and_given_the_secrets_of_compose():
    known = set(yaml.safe_load((ROOT / "docker-compose.yml").read_text())["secrets"])
    commands = {name: service.get("command") for name, service in services().items()}
    for path in sorted((ROOT / "config" / "kubernetes").glob("*.yaml")):
        for manifest in yaml.safe_load_all(path.read_text()):
            if manifest["kind"] != "Deployment":
                continue
            name = manifest["metadata"]["name"].removeprefix("crawler-")
            pod = manifest["spec"]["template"]["spec"]
            (container,) = pod["containers"]
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["resources"]["limits"]["memory"]
            assert "readinessProbe" in container
            assert "command" not in container  # it would leave the image's init out
            if name not in ("worker", "beat"):
                assert container["args"] == commands[name]
            (secret,) = [one["secret"] for one in pod["volumes"] if "secret" in one]
            given = {item["key"] for item in secret["items"]}
            assert {"redis_password"} <= given <= known
            files = [one["value"] for one in container.get("env", ()) if "_FILE" in one["name"]]
            assert {file.rpartition("/")[2] for file in files} == given - {"redis_password"}


def test_workers_in_kubernetes_are_scaled_by_a_number_that_our_rules_make():
    (scaled,) = yaml.safe_load_all((ROOT / "config" / "kubernetes" / "keda.yaml").read_text())
    manifests = list(
        yaml.safe_load_all((ROOT / "config" / "kubernetes" / "worker.yaml").read_text())
    )
    (deployment,) = [one for one in manifests if one["kind"] == "Deployment"]
    assert scaled["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["type"] == "prometheus"
    assert trigger["metadata"].keys() == {"serverAddress", "query", "threshold"}
    groups = yaml.safe_load((ROOT / "config" / "alerts.yml").read_text())["groups"]
    assert trigger["metadata"]["query"] in [
        rule.get("record") for group in groups for rule in group["rules"]
    ]
    command = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    assert " ".join(command) == WORKER.replace("-c 4", "-c 1")
    known = Settings.model_fields
    for manifest in manifests:
        for name in manifest.get("data", {}):
            assert name.removeprefix("CRAWLER_").lower() in known, name
