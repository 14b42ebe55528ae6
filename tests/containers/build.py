"""Build our image, and images that stand in for those of others where no registry can be reached:
``make containers``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from tests.containers.engine import BUILD, IMAGES, ROOT, Engine, EngineMissing

HERE = Path(__file__).parent / "images"
#: What stands in for others has this before its name, so that nobody takes it for the original.
STAND_IN = "localhost/crawler-stand-in"
OURS, NEXT = "localhost/celery-crawler:latest", "localhost/celery-crawler:next"
#: The image that ours is built on, as the Dockerfile says, and seconds to get it.
PYTHON, PULL_PATIENCE = "docker.io/library/python:3.12-slim-bookworm", 120.0
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
#: Seconds for a first answer of the mirror, and to make a Debian.
MIRROR_PATIENCE, DEBOOTSTRAP_PATIENCE = 20.0, 300.0
#: Whether a container can fetch from a package index: what our image is made of.
INDEX = "RUN pip download --no-cache-dir --no-deps -d /tmp/index click\n"
#: What the next version of our image is called.
NEXT_VERSION = "99.0"
#: Images that are built at once.
AT_ONCE = 3


@click.command()
@click.option("--if-possible", is_flag=True, help="Exit status 0 also where nothing can be built.")
@click.option("--stand-ins", is_flag=True, help="Ask no registry.")
def main(if_possible: bool, stand_ins: bool) -> None:
    """Build our image, and what it needs beside it."""
    BUILD.mkdir(parents=True, exist_ok=True)
    IMAGES.unlink(missing_ok=True)
    try:
        engine = Engine.find()
        click.echo(f"containers: by {engine.program}")
        if stand_ins or not registry_answers(engine):
            base = find_base(engine)
            engine.try_out(base)
            names = build_with_stand_ins(engine, base)
        else:
            engine.try_out(PYTHON)
            names = {}
            build(engine, OURS, "--build-arg", f"PYTHON_IMAGE={PYTHON}", str(ROOT))
    except EngineMissing as error:
        click.echo(f"containers: nothing is built: {error}", err=True)
        raise SystemExit(not if_possible) from None
    build_next(engine)
    IMAGES.write_text(json.dumps({**names, "CRAWLER_IMAGE": OURS}, indent=2))
    click.echo(engine.run("history", "--format", "{{.Size}}\t{{.CreatedBy}}", OURS).stdout)


def registry_answers(engine: Engine) -> bool:
    """Whether images of others can be had. The first one is, by that."""
    try:
        return engine.run("pull", "-q", PYTHON, check=False, timeout=PULL_PATIENCE).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def build(engine: Engine, tag: str, *words: str) -> None:
    """Build the image ``tag``, and say how long that took."""
    began = time.monotonic()
    engine.build(tag, *words)
    click.echo(f"containers: {tag} in {time.monotonic() - began:.0f} s")


def build_next(engine: Engine) -> None:
    """Build a next version of our image: the same but for its number."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Dockerfile").write_text(
            f"FROM {OURS}\nUSER 0\nRUN sed -i 's/^__version__.*/__version__ = \"{NEXT_VERSION}\"/'"
            " /opt/crawler/lib/python3*/site-packages/crawler/version.py\nUSER 10001:10001\n"
        )
        build(engine, NEXT, folder)


def build_with_stand_ins(engine: Engine, base: str) -> dict[str, str]:
    """Build our image on ``base``, and what stands in for the images of others; return the names by
    the variables that docker-compose.yml takes them from. Of Grafana there is none.

    Raises:
        EngineMissing: packages cannot be fetched from here.
    """
    context = make_context()

    def stand_in(name: str, recipe: str, **arguments: str) -> str:
        tag = f"{STAND_IN}/{name}:1"
        words = [
            f"--build-arg={key}={value}" for key, value in ({"BASE": base} | arguments).items()
        ]
        try:
            build(engine, tag, *words, "-f", str(context / f"{recipe}.Containerfile"), str(context))
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            raise EngineMissing(f"{tag} cannot be built: {error}") from error
        return tag

    def ours() -> None:
        python = stand_in("python", "python")
        (context / "index.Containerfile").write_text(f"FROM {python}\n{INDEX}")
        stand_in("index", "index")
        try:
            build(engine, OURS, "--build-arg", f"PYTHON_IMAGE={python}", str(ROOT))
        except RuntimeError:  # of the network, perhaps: a fault of ours fails again
            build(engine, OURS, "--build-arg", f"PYTHON_IMAGE={python}", str(ROOT))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        grid = pool.submit(stand_in, "grid", "grid")
        own = pool.submit(ours)
        redis = pool.submit(stand_in, "redis", "redis")
        prometheus = pool.submit(
            stand_in, "prometheus", "monitoring",
            PACKAGE="prometheus", PROGRAM="prometheus", FOLDER="/prometheus",
        )  # fmt: skip
        alertmanager = pool.submit(
            stand_in, "alertmanager", "monitoring",
            PACKAGE="prometheus-alertmanager", PROGRAM="prometheus-alertmanager",
            FOLDER="/alertmanager",
        )  # fmt: skip
        names = {
            "REDIS_IMAGE": redis,
            "HUB_IMAGE": grid,
            "CHROME_IMAGE": grid,
            "PROMETHEUS_IMAGE": prometheus,
            "ALERTMANAGER_IMAGE": alertmanager,
        }
        images = {name: future.result() for name, future in names.items()}
        own.result()
    return images


def make_context() -> Path:
    """Return a folder with what the stand-ins are made of.

    Raises:
        EngineMissing: there is no Selenium Grid.
    """
    jars = ROOT / "build" / "grid"
    if not any(jars.glob("selenium-grid-*.jar")):
        raise EngineMissing("no registry is asked, and there is no Selenium Grid: make grid")
    context = BUILD / "context"
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(HERE, context)
    shutil.copy(CERTIFICATES, context)
    shutil.copytree(jars, context / "jars", copy_function=os.link)
    return context


def find_base(engine: Engine) -> str:
    """Return the name of a small Debian, made by debootstrap when it is first needed.

    Raises:
        EngineMissing: there is no debootstrap, or it failed.
    """
    tag = f"{STAND_IN}/debian:{DEBIAN}"
    if engine.run("image", "inspect", tag, check=False).returncode == 0:
        return tag
    if not shutil.which("debootstrap") or os.geteuid():
        raise EngineMissing(
            "no registry is asked, and debootstrap is not installed, or we are not root"
        )
    try:
        url = f"{MIRROR}/dists/{DEBIAN}/Release"
        urllib.request.urlopen(url, timeout=MIRROR_PATIENCE).close()  # noqa: S310
    except OSError as error:
        raise EngineMissing(
            f"no registry is asked, and {MIRROR} does not answer: {error}"
        ) from error
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        command = ["debootstrap", "--variant=minbase", DEBIAN, folder, MIRROR]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=DEBOOTSTRAP_PATIENCE
            )
        except subprocess.TimeoutExpired as error:
            raise EngineMissing(f"debootstrap does not end within {error.timeout:g} s") from error
        if done.returncode:
            raise EngineMissing(f"debootstrap failed: {done.stdout.strip().splitlines()[-1]}")
        for path in LEFT_OUT:
            for part in (Path(folder) / path).glob("*"):
                shutil.rmtree(part) if part.is_dir() and not part.is_symlink() else part.unlink()
        options = Path(folder) / "etc/dpkg/dpkg.cfg.d"
        excludes = "".join(f"path-exclude=/{path}/*\n" for path in LEFT_OUT[:3])
        (options / "small").write_text(excludes)
        (options / "fast").write_text("force-unsafe-io\n")  # an image is made whole, or not at all
        archive = BUILD / "debian.tar"
        subprocess.run(["tar", "-C", folder, "-cf", str(archive), "."], check=True)
        engine.run("import", str(archive), tag, timeout=600)
        archive.unlink()
    click.echo(f"containers: {tag} in {time.monotonic() - began:.0f} s, by debootstrap")
    return tag


if __name__ == "__main__":
    main()
