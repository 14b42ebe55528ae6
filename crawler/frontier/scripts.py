"""The Lua scripts: read once from ``crawler/lua``, run in one round trip, their errors turned into
ours in one place.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import Any
from weakref import WeakKeyDictionary

from redis import exceptions as faults
from redis.commands.core import Script

from ..connection import Client, reason
from ..errors import FrontierMisfit, FrontierRefused, FrontierUnavailable

#: First words of an error reply that mean: not now.
UNAVAILABLE = (
    "LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "READONLY", "MISCONF", "NOREPLICAS", "UNKILLABLE", "CLOSED",
)  # fmt: skip
#: What a script is told whose keys are on their way to another node of the Cluster.
MOVING = "access a non local key"
#: Seconds to wait for a crawl that is closed for an audit or a repair, and between two attempts.
CLOSED_PATIENCE, CLOSED_INTERVAL = 10.0, 0.05
FULL = (
    "Redis is full (maxmemory reached); nothing was changed: give it more memory, or clear crawls"
    " that are over"
)


@cache
def source(name: str) -> str:
    """The text of a script: the libraries that its line ``With`` names, then itself, and Redis's
    ``#!lua`` line before it all.
    """
    folder = files("crawler") / "lua"
    first, _, text = (folder / f"{name}.lua").read_text("utf-8").partition("\n")
    named = re.search(r"^-- With +(.+)$", text, re.MULTILINE)
    libraries = (
        [(folder / f"lib_{library}.lua").read_text("utf-8") for library in named[1].split(", ")]
        if named
        else []
    )
    return "\n".join([first, *libraries, text])


#: Servers older than 7.0 do not know the ``#!lua`` line; asked once per client.
_old: WeakKeyDictionary[Client, bool] = WeakKeyDictionary()


class Scripts:
    """Every script, registered on one client. They travel to a server when it first answers that it
    does not know them.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._scripts: dict[str, Script] = {}

    def run(self, name: str, prefix: str, *args: str | bytes | float) -> Any:
        """Run the script ``name`` on the crawl whose keys begin with ``prefix``, in one atomic
        step.

        Raises:
            FrontierUnavailable, FrontierRefused, FrontierMisfit: see ``speaking``.
        """
        end = time.monotonic() + CLOSED_PATIENCE
        with speaking():
            while True:
                try:
                    return self._run(name, prefix, *args)
                except faults.ResponseError as error:
                    if not str(error).startswith("CLOSED") or time.monotonic() > end:
                        raise
                time.sleep(CLOSED_INTERVAL)

    def _run(self, name: str, prefix: str, *args: str | bytes | float) -> Any:
        script = self._scripts.get(name) or self._register(name)
        try:
            return script(keys=[prefix], args=args)
        except faults.NoScriptError:  # forgotten again, between our sending it and asking for it
            return self._client.eval(self.text(name), 1, prefix, *args)

    def _register(self, name: str) -> Script:
        script = self._scripts[name] = self._client.register_script(self.text(name))
        return script

    def text(self, name: str) -> str:
        """The script ``name`` as this server reads it."""
        text = source(name)
        return text.partition("\n")[2] if self._is_old() else text

    def _is_old(self) -> bool:
        if self._client not in _old:
            try:
                _old[self._client] = int(version(self._client).split(".")[0]) < 7
            except faults.NoPermissionError:
                _old[self._client] = False
        return _old[self._client]


def version(client: Client) -> str:
    """The version of the server, as it says."""
    return str(client.info("server").get("redis_version", "7"))


@contextmanager
def speaking() -> Iterator[None]:
    """The one place where what Redis or its client raises becomes an error of ours.

    Raises:
        FrontierUnavailable: no answer; nobody knows whether the step was done, and every one of
            them may be repeated.
        FrontierRefused: the crawl's status, or a full Redis, does not allow it; nothing was
            changed.
        FrontierMisfit: the keys are not a crawl's, or those of another version.
    """
    try:
        yield
    except (
        faults.ConnectionError,
        faults.TimeoutError,
        faults.ClusterError,
        faults.RedisClusterException,
        faults.ReadOnlyError,
        faults.TryAgainError,
    ) as error:
        raise FrontierUnavailable(reason(error)) from error
    except faults.NoPermissionError as error:
        raise FrontierMisfit(reason(error)) from error
    except faults.OutOfMemoryError as error:
        raise FrontierRefused(FULL) from error
    except faults.ResponseError as error:
        word, _, rest = str(error).partition(" ")
        if word in ("MISSING", "REFUSED"):
            raise FrontierRefused(rest.split(" script:")[0]) from error
        if word == "MISFIT":
            raise FrontierMisfit(rest.split(" script:")[0]) from error
        if word == "OOM" or "OOM command not allowed" in str(error):
            raise FrontierRefused(FULL) from error
        if "WRONGTYPE" in str(error):
            raise FrontierMisfit(
                f"a key has the name of one of ours, but not its type: {error}"
            ) from error
        if MOVING in str(error):
            raise FrontierUnavailable(
                "the Cluster is moving this crawl to another node; that ends by itself"
            ) from error
        if word in UNAVAILABLE:
            raise FrontierUnavailable(f"Redis cannot do it now: {error}") from error
        raise
