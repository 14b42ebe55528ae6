"""Build our image, and images that stand in for those of others where no registry can be reached:
``make containers``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from tests.containers.engine import BUILD, IMAGES, PATIENCE, ROOT, Engine, EngineMissing

HERE = Path(__file__).parent / "images"
#: What stands in for others has this before its name, so that nobody takes it for the original.
STAND_IN = "localhost/crawler-stand-in"
OURS, NEXT = "localhost/celery-crawler:latest", "localhost/celery-crawler:next"
#: The image that ours is built on, as the Dockerfile says.
PYTHON = "docker.io/library/python:3.12-slim-bookworm"
#: Debian, as debootstrap calls it, and the folders of it that images do without, as Docker's own.
DEBIAN, MIRROR = "bookworm", "http://deb.debian.org/debian"
LEFT_OUT = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "var/cache/apt",
    "var/lib/apt/lists",
)
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
#: What the next version of our image is called.
NEXT_VERSION = "99.0"


def main() -> int:
    """Build all of it; return the exit status. ``--if-possible``: 0 also where nothing can be
    built.
    """
    try:
        engine = Engine.find()
        click.echo(f"containers: by {engine.program}")
        names = {} if registry_answers(engine) else build_stand_ins(engine)
    except EngineMissing as error:
        click.echo(f"containers: nothing is built: {error}", err=True)
        IMAGES.unlink(missing_ok=True)
        return 0 if "--if-possible" in sys.argv else 1
    base = names.pop("PYTHON_IMAGE", PYTHON)
    engine.build("--build-arg", f"PYTHON_IMAGE={base}", "-t", OURS, ".")
    build_next(engine)
    IMAGES.write_text(json.dumps({**names, "CRAWLER_IMAGE": OURS}, indent=2))
    click.echo(engine.run("history", "--format", "{{.Size}}\t{{.CreatedBy}}", OURS).stdout)
    return 0


def registry_answers(engine: Engine) -> bool:
    """Whether images of others can be had. The first one is, by that."""
    try:
        return engine.run("pull", "-q", PYTHON, check=False, timeout=PATIENCE).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def build_next(engine: Engine) -> None:
    """Build a next version of our image: the same but for its number."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Dockerfile").write_text(
            f"FROM {OURS}\nUSER 0\nRUN sed -i 's/^__version__.*/__version__ = \"{NEXT_VERSION}\"/'"
            " /opt/crawler/lib/python3*/site-packages/crawler/version.py\nUSER 10001:10001\n"
        )
        engine.build("-t", NEXT, folder)


def build_stand_ins(engine: Engine) -> dict[str, str]:
    """Build what stands in for the images of others; return the names by the variables that
    docker-compose.yml and the Dockerfile take them from. Of Grafana there is none.

    Raises:
        EngineMissing: this machine cannot make a base, or no container runs on it.
    """
    base = f"{STAND_IN}/debian:{DEBIAN}"
    if engine.run("image", "inspect", base, check=False).returncode:
        make_base(engine, base)
    done = engine.run("run", "--rm", "--network", "none", base, "true", check=False)
    if done.returncode:
        raise EngineMissing(f"no container runs here: {done.stderr.strip().splitlines()[-1]}")
    BUILD.mkdir(parents=True, exist_ok=True)
    context = BUILD / "context"
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(HERE, context)
    shutil.copy(CERTIFICATES, context)
    jars = ROOT / "build" / "grid"
    if not any(jars.glob("selenium-grid-*.jar")):
        raise EngineMissing("no registry answers, and there is no Selenium Grid: make grid")
    shutil.copytree(jars, context / "jars", copy_function=os.link)

    def stand_in(name: str, recipe: str, **arguments: str) -> str:
        tag = f"{STAND_IN}/{name}:1"
        words = [
            f"--build-arg={key}={value}" for key, value in ({"BASE": base} | arguments).items()
        ]
        engine.build(
            *words, "-f", str(context / f"{recipe}.Containerfile"), "-t", tag, str(context)
        )
        return tag

    grid = stand_in("grid", "grid")
    return {
        "PYTHON_IMAGE": stand_in("python", "python"),
        "REDIS_IMAGE": stand_in("redis", "redis"),
        "HUB_IMAGE": grid,
        "CHROME_IMAGE": grid,
        "PROMETHEUS_IMAGE": stand_in(
            "prometheus", "monitoring",
            PACKAGE="prometheus", PROGRAM="prometheus", FOLDER="/prometheus",
        ),
        "ALERTMANAGER_IMAGE": stand_in(
            "alertmanager", "monitoring",
            PACKAGE="prometheus-alertmanager", PROGRAM="prometheus-alertmanager",
            FOLDER="/alertmanager",
        ),
    }  # fmt: skip


def make_base(engine: Engine, tag: str) -> None:
    """Make a small Debian, by debootstrap.

    Raises:
        EngineMissing: there is no debootstrap, or it failed.
    """
    if not shutil.which("debootstrap") or os.geteuid():
        raise EngineMissing(
            "no registry answers, and debootstrap is not installed, or we are not root"
        )
    with tempfile.TemporaryDirectory() as folder:
        click.echo(f"containers: no registry answers: {tag} by debootstrap")
        command = ["debootstrap", "--variant=minbase", DEBIAN, folder, MIRROR]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise EngineMissing(f"debootstrap failed: {done.stdout.strip().splitlines()[-1]}")
        for path in LEFT_OUT:
            for part in (Path(folder) / path).glob("*"):
                shutil.rmtree(part) if part.is_dir() and not part.is_symlink() else part.unlink()
        excludes = "".join(f"path-exclude=/{path}/*\n" for path in LEFT_OUT[:3])
        (Path(folder) / "etc/dpkg/dpkg.cfg.d/small").write_text(excludes)
        archive = BUILD / "debian.tar"
        subprocess.run(["tar", "-C", folder, "-cf", str(archive), "."], check=True)
        engine.run("import", str(archive), tag, timeout=600)
        archive.unlink()


if __name__ == "__main__":
    sys.exit(main())
