"""Podman or Docker, whichever works on this machine, and the images that were built."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "containers"
#: The names of images, as variables of docker-compose.yml: written by the build, read by the tests.
IMAGES = BUILD / "images.json"
#: Seconds for a question to the engine.
PATIENCE = 120.0
#: Files and processes that a container may have. Podman's own default is more than a container may
#: give to one inside it.
ULIMITS = (("nofile", resource.RLIMIT_NOFILE, 65_536), ("nproc", resource.RLIMIT_NPROC, 32_768))


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
        elif why := cls("podman", [composer]).fault():
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
        """Return the last line of the answer to a harmless question, if that is an error."""
        done = self.run(*(words or ("info",)), check=False)
        lines = done.stderr.strip().splitlines() or ["no reason is given"]
        return lines[-1] if done.returncode else ""

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

    def build(self, *words: str) -> None:
        """Build an image; the engine says what it does. Raises if that fails."""
        podman = ("--isolation", "chroot", "--pull=never") if self.program == "podman" else ()
        command = [self.program, "build", *podman, "--network", "host", *words]
        subprocess.run(command, cwd=ROOT, env=self.environ, check=True, timeout=1_800)

    def inspect(self, name: str) -> dict[str, Any]:
        """Return what the engine knows of a container or an image."""
        return dict(json.loads(self.run("inspect", name).stdout)[0])

    @cached_property
    def images(self) -> dict[str, str]:
        """The images by the variables of docker-compose.yml; empty before a build."""
        return dict(json.loads(IMAGES.read_text())) if IMAGES.exists() else {}


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
