"""Podman or Docker, whichever works on this machine, and the images that were built."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "containers"
#: The names of images, as variables of docker-compose.yml: written by the build, read by the tests.
IMAGES = BUILD / "images.json"
#: Seconds for a question to the engine, and for whether it works at all.
PATIENCE, FIRST_ANSWER = 120.0, 30.0
#: Seconds for an image: packages are fetched from afar.
BUILD_PATIENCE = 1_800.0
#: Files and processes that a container may have. Podman's own default is more than a container may
#: give to one inside it.
ULIMITS = (("nofile", resource.RLIMIT_NOFILE, 65_536), ("nproc", resource.RLIMIT_NPROC, 32_768))


#: Bytes that must be free: twice the size of all images.
ROOM = 6 << 30
#: The name of a container and a network by which an engine is tried out, and seconds for each step.
TRIAL, TRIAL_PATIENCE = "crawler-trial", 60.0


class EngineMissing(Exception):
    """There is no engine that works here; the text says why."""


class Engine:
    """An engine: ``run`` its command, or ``compose`` it."""

    def __init__(self, program: str, composer: list[str]) -> None:
        self.program, self.composer = program, composer
        self.environ = dict(os.environ)
        if program == "podman":
            self.environ["CONTAINERS_CONF"] = str(configure_podman())

    @classmethod
    def find(cls) -> Engine:
        """Return the engine of this machine.

        Raises:
            EngineMissing: there is none, or no way to read docker-compose.yml.
        """
        reasons = []
        composer = shutil.which("podman-compose", path=program_path())
        if not shutil.which("podman"):
            reasons.append("podman is not installed")
        elif not composer:
            reasons.append("podman-compose is not installed (pip install podman-compose)")
        elif why := cls("podman", [composer]).fault() or cls("podman", []).store_fault():
            reasons.append(f"podman does not work: {why}")
        else:
            return cls("podman", [composer])
        if not shutil.which("docker"):
            reasons.append("docker is not installed")
        elif why := cls("docker", ["docker", "compose"]).fault():
            reasons.append(f"docker does not work: {why}")
        elif why := cls("docker", ["docker", "compose"]).fault("compose", "version"):
            reasons.append(f"docker has no compose: {why}")
        else:
            return cls("docker", ["docker", "compose"])
        raise EngineMissing("; ".join(reasons))

    def fault(self, *words: str) -> str:
        """Return why a harmless question is not answered; empty if it is."""
        try:
            done = self.run(*(words or ("info",)), check=False, timeout=FIRST_ANSWER)
        except subprocess.TimeoutExpired:
            return f"no answer within {FIRST_ANSWER:g} s"
        return last_line(done.stderr) if done.returncode else ""

    def store_fault(self) -> str:
        """Return why Podman cannot keep our images; empty if it can."""
        store = json.loads(self.run("info", "--format", "{{json .Store}}").stdout)
        if store["graphDriverName"] == "vfs":
            return "it can only keep images as whole copies of each layer"
        free = shutil.disk_usage(store["graphRoot"]).free
        return f"{free / 2**30:.1f} GB are free for images" if free < ROOM else ""

    def try_out(self, image: str) -> None:
        """Run two containers of ``image`` as docker-compose.yml runs its services: confined, with
        an init, on a network on which one finds the other by its name, with a port of this machine.

        Raises:
            EngineMissing: that does not work here; the text says why.
        """
        commands = (
            ("network", "create", TRIAL),
            (
                *("run", "-d", "--name", TRIAL, "--network", TRIAL, "--network-alias", "trial"),
                *("--init", "--memory", "64m", "--cap-drop", "ALL", "--read-only"),
                *("--security-opt", "no-new-privileges", "--tmpfs", "/tmp"),  # noqa: S108
                *("-p", "127.0.0.1::8080", image, "sleep", "600"),
            ),
            ("exec", TRIAL, "true"),
            ("run", "--rm", "--network", TRIAL, image, "getent", "hosts", "trial"),
        )
        self.end_trial()
        try:
            for words in commands:
                done = self.run(*words, check=False, timeout=TRIAL_PATIENCE)
                if done.returncode:
                    what = f"{self.program} {words[0]} fails here"
                    raise EngineMissing(f"{what}: {last_line(done.stderr)}")
        except subprocess.TimeoutExpired as error:
            what = f"{self.program} {error.cmd[1]} does not end"
            raise EngineMissing(f"{what} within {error.timeout:g} s here") from error
        finally:
            self.end_trial()

    def end_trial(self) -> None:
        """Remove what :meth:`try_out` leaves."""
        for words in (("rm", "-f"), ("network", "rm")):
            with suppress(subprocess.TimeoutExpired):
                self.run(*words, TRIAL, check=False)

    def run(
        self, *words: str, check: bool = True, timeout: float = PATIENCE
    ) -> subprocess.CompletedProcess[str]:
        """Return the end of the command; what it said is kept. Raises with that if it failed."""
        return self._call([self.program, *words], self.environ, check, timeout)

    def compose(
        self, *words: str, environ: Mapping[str, str], check: bool = True, timeout: float = 900
    ) -> subprocess.CompletedProcess[str]:
        """Return the end of a command on docker-compose.yml, with ``environ`` for its variables."""
        return self._call([*self.composer, *words], self.environ | environ, check, timeout)

    def _call(
        self, command: list[str], environ: Mapping[str, str], check: bool, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=ROOT, env=environ, capture_output=True, text=True, errors="replace",
            check=False, timeout=timeout, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if check and done.returncode:
            said = (done.stdout[-2_000:] + done.stderr[-4_000:]).strip()
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{said}")
        return done

    def build(self, tag: str, *words: str) -> None:
        """Build the image ``tag``. Raises RuntimeError with what the engine said if that fails."""
        podman = ("--isolation", "chroot", "--pull=never") if self.program == "podman" else ()
        command = ("build", *podman, "--network", "host", "-t", tag, *words)
        self.run(*command, timeout=BUILD_PATIENCE)

    def inspect(self, name: str) -> dict[str, Any]:
        """Return what the engine knows of a container or an image."""
        return dict(json.loads(self.run("inspect", name).stdout)[0])

    @cached_property
    def checks_by_hand(self) -> bool:
        """Whether health checks are made only if somebody asks: Podman leaves them to systemd."""
        return self.program == "podman" and not Path("/run/systemd/system").is_dir()

    @cached_property
    def images(self) -> dict[str, str]:
        """The images by the variables of docker-compose.yml; empty before a build."""
        return dict(json.loads(IMAGES.read_text())) if IMAGES.exists() else {}


def last_line(text: str) -> str:
    """Return the last line of an engine's words."""
    return next(reversed(text.strip().splitlines()), "no reason is given")


def program_path() -> str:
    """Return the folders of programs, those of this environment first."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"


def configure_podman() -> Path:
    """Return a configuration of Podman that works inside a container as well."""
    limits = []
    for name, kind, most in ULIMITS:
        hard = resource.getrlimit(kind)[1]
        number = most if hard == resource.RLIM_INFINITY else min(most, hard)
        limits.append(f'"{name}={number}:{number}"')
    runtime = next(name for name in ("runc", "crun") if shutil.which(name) or name == "crun")
    BUILD.mkdir(parents=True, exist_ok=True)
    path = BUILD / "containers.conf"
    path.write_text(
        f'[engine]\nruntime = "{runtime}"\n[containers]\ndefault_ulimits = [{", ".join(limits)}]\n'
    )
    return path
