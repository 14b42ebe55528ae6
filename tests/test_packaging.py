"""The wheel, installed where nothing else is: one name in site-packages, every file in its place,
and the command works.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from crawler.version import __version__

ROOT = Path(__file__).resolve().parents[1]
#: Seconds; what pip fetches may take long.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def pip(*arguments: str | Path) -> None:
    """Run pip; without a network, skip the test on a laptop, and fail in CI."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "-q",
        "--disable-pip-version-check",
        "--no-input",
        *map(str, arguments),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "connection" in done.stderr.lower() and not os.environ.get("CI"):
        pytest.skip("pip cannot reach its index")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy: what an earlier build left behind must not get
    in.
    """
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("crawler", "tasks", "config"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip("wheel", "--no-deps", "-w", target, source)
    return next(target.glob("*.whl"))


def environment(folder: Path, wheel: Path, *options: str) -> Path:
    """Install the wheel in an environment of its own; return the folder of its programs."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    pip("--python", folder / "bin" / "python", "install", "--no-compile", *options, wheel)
    return folder / "bin"


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` folder of an environment that holds the wheel and what it asks for, and nothing
    else: links to what is installed here.
    """
    folder = tmp_path_factory.mktemp("empty")
    programs = environment(folder, wheel, "--no-deps")
    (there,) = folder.glob("lib/python*/site-packages")
    (metadata,) = there.glob("celery_crawler-*.dist-info")
    for found in asked_for(PathDistribution(metadata)).values():
        for file in found.files or ():
            link = there / file
            # no program, and none that is there: with extras, a distribution is found again
            if file.parts[0] != ".." and not link.is_symlink():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(Path(str(file.locate())))
    return programs


def asked_for(
    package: Distribution, extras: frozenset[str] = frozenset()
) -> dict[tuple[str, frozenset[str]], Distribution]:
    """Return the distributions of this environment that ``package`` asks for, and those that these
    ask for, by the name of each.
    """
    found: dict[tuple[str, frozenset[str]], Distribution] = {}
    waiting = [(package, extras)]
    while waiting:
        asking, extras = waiting.pop()
        for words in asking.requires or ():
            wanted = Requirement(words)
            marker, key = wanted.marker, (wanted.name.lower(), frozenset(wanted.extras))
            if key not in found and (
                not marker or any(marker.evaluate({"extra": extra}) for extra in extras or ("",))
            ):
                found[key] = distribution(wanted.name)
                waiting.append((found[key], key[1]))
    return found


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """The address of the bundled shop."""
    with subprocess.Popen(
        [sys.executable, str(ROOT / "examples/demo/serve.py")], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


def test_the_wheel_brings_one_name(wheel):
    with zipfile.ZipFile(wheel) as archive:
        assert {name.partition("/")[0] for name in archive.namelist()} == {
            "crawler",
            f"celery_crawler-{__version__}.dist-info",
        }


def test_the_wheel_holds_every_file_of_the_package(wheel):
    there = set()
    for folder, target in (
        ("crawler", "crawler"),
        ("tasks", "crawler/tasks"),
        ("config", "crawler/config"),
    ):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in (
                ".py",
                ".lua",
                ".js",
                ".typed",
                ".html",
                ".css",
                ".conf",
                ".txt",
            ):
                there.add(f"{target}/{path.relative_to(ROOT / folder).as_posix()}")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("crawler/")}
    assert held == there
    assert {"crawler/py.typed", "crawler/tasks/app.py", "crawler/config/settings.py"} <= held
    assert any(name.endswith(".lua") for name in held)
    assert any(name.endswith(".js") for name in held)


def test_what_pyproject_and_setup_cfg_say_agrees():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    floor = setup["options"]["python_requires"].removeprefix(">=").strip()
    assert pyproject["tool"]["ruff"]["target-version"] == "py" + floor.replace(".", "")
    assert "project" not in pyproject  # the metadata have one home


def version(programs: Path) -> str:
    """Return what the command says of its version."""
    return subprocess.run(
        [programs / "crawler", "--version"], capture_output=True, text=True, check=True, cwd="/"
    ).stdout


def test_the_command_says_its_version(installed):
    assert __version__ in version(installed)


@pytest.mark.soak
def test_pip_finds_all_that_the_wheel_asks_for(wheel, tmp_path):
    assert __version__ in version(environment(tmp_path / "empty", wheel))


@pytest.mark.browser
def test_one_page_is_run_without_redis(installed, shop, tmp_path):
    command = [installed / "crawler", "run", shop, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = json.loads(done.stdout)
    assert (page["url"], page["status"]) == (shop, 200)
    assert page["data"]["title"].startswith("Good books")
    assert f"{shop}events/" in page["kept"]


def test_tasks_and_config_are_no_names_of_their_own(installed, tmp_path):
    code = (
        "import crawler.tasks.app, sys; print([name for name in ('tasks', 'config') if name in"
        " sys.modules])"
    )
    done = subprocess.run(
        [installed / "python", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.stdout.strip() == "[]", done.stderr
