"""A PostgreSQL server of the tests' own, on a socket in a folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.patience import PATIENCE


def program(name: str) -> str | None:
    """The path of a program of PostgreSQL, wherever Debian puts it."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(places[-1]) if places else shutil.which(name)


class PrivatePostgres:
    """The server, until ``stop``. Skips the test where no server or no driver is installed."""

    def __init__(self) -> None:
        initdb, postgres = program("initdb"), program("postgres")
        if not initdb or not postgres:
            pytest.skip("no PostgreSQL server is installed (apt-get install postgresql)")
        self.psycopg = pytest.importorskip("psycopg", reason="pip install 'psycopg[binary]'")
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        # it does not run as root
        self.user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            shutil.chown(self.folder, self.user)
        data = str(self.folder / "data")
        self._run(initdb, "-D", data, "-U", "shop", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = ("-c", "listen_addresses=", "-c", "fsync=off", "-k", str(self.folder))
        self.process = subprocess.Popen(
            [postgres, "-D", data, *options],
            stdout=subprocess.DEVNULL,
            stderr=(self.folder.parent / f"{self.folder.name}.log").open("w"),
            cwd="/",
            **self._as_user(),
        )

    def _as_user(self) -> dict[str, Any]:
        return {"user": self.user} if os.geteuid() == 0 else {}

    def _run(self, *command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd="/", **self._as_user())

    @property
    def environ(self) -> dict[str, str]:
        """The variables by which a client finds it."""
        return {"PGHOST": str(self.folder), "PGUSER": "shop", "PGDATABASE": "postgres"}

    def connect(self) -> Any:
        """A connection that commits each statement."""
        return self.psycopg.connect(
            host=str(self.folder), user="shop", dbname="postgres", autocommit=True
        )

    def answers(self) -> bool:
        try:
            self.connect().close()
        except self.psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder.parent / f"{self.folder.name}.log").unlink(missing_ok=True)
