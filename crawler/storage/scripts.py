"""Lua scripts: each is read once from the folder ``lua`` of its package, and runs in one round
trip.
"""

from __future__ import annotations

import re
import time
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Any
from weakref import WeakKeyDictionary

from redis import exceptions as faults

from ..text.encodable import encoded
from .connection import RedisClient
from .errors import redis_errors

#: Seconds to wait for a crawl that is closed for an audit or a repair, and between two attempts.
CLOSED_PATIENCE, CLOSED_INTERVAL = 10.0, 0.05


@cache
def source(package: str, name: str) -> str:
    """Return the text of a script: Redis's ``#!lua`` line, the libraries that its line ``With``
    names, then itself.
    """
    folder = files(package) / "lua"
    first, _, text = (folder / f"{name}.lua").read_text("utf-8").partition("\n")
    named = re.search(r"^-- With +(.+)$", text, re.MULTILINE)
    libraries = (
        [(folder / "lib" / f"{library}.lua").read_text("utf-8") for library in named[1].split(", ")]
        if named
        else []
    )
    return "\n".join([first, *libraries, text])


@cache
def text_and_digest(package: str, name: str, old: bool) -> tuple[str, str]:
    """Return the text of a script, as a server reads it that is ``old`` or not, and its SHA-1, by
    which servers know it. Texts are long, and each run has a frontier of its own: so they are
    digested once per process.
    """
    text = source(package, name)
    if old:
        text = text.partition("\n")[2]
    return text, sha1(text.encode(), usedforsecurity=False).hexdigest()


#: Servers older than 7.0 do not know the ``#!lua`` line; asked once per client.
_old: WeakKeyDictionary[RedisClient, bool] = WeakKeyDictionary()


class Scripts:
    """The scripts of ``package``, as one client runs them. They travel to a server when it first
    answers that it does not know them.
    """

    def __init__(self, client: RedisClient, package: str) -> None:
        self._client, self._package = client, package

    def run(self, name: str, prefix: str, *args: str | bytes | float) -> Any:
        """Run the script ``name`` on the crawl whose keys begin with ``prefix``, in one atomic
        step. Texts among ``args`` pass the gate: none can fail to be encoded.

        Raises:
            FrontierUnavailable, FrontierRefused, FrontierMisfit: see ``redis_errors``.
        """
        args = tuple([encoded(arg) if isinstance(arg, str) else arg for arg in args])
        end = time.monotonic() + CLOSED_PATIENCE
        with redis_errors():
            while True:
                try:
                    return self._run(name, prefix, *args)
                except faults.ResponseError as error:
                    if not str(error).startswith("CLOSED") or time.monotonic() > end:
                        raise
                time.sleep(CLOSED_INTERVAL)

    def _run(self, name: str, prefix: str, *args: str | bytes | float) -> Any:
        text, digest = text_and_digest(self._package, name, self._is_old())
        try:
            return self._client.evalsha(digest, 1, prefix, *args)
        except faults.NoScriptError:
            pass
        try:
            digest = self._client.script_load(text)
            return self._client.evalsha(digest, 1, prefix, *args)
        except (
            faults.NoScriptError
        ):  # the server forgot it between our sending it and asking for it
            return self._client.eval(text, 1, prefix, *args)

    def text(self, name: str) -> str:
        """Return the text of the script ``name`` as this server reads it."""
        return text_and_digest(self._package, name, self._is_old())[0]

    def _is_old(self) -> bool:
        old = _old.get(self._client)
        if old is None:
            try:
                old = int(server_version(self._client).split(".")[0]) < 7
            except faults.NoPermissionError:
                old = False
            _old[self._client] = old
        return old


def server_version(client: RedisClient) -> str:
    """Return the version of the server, as it says."""
    return str(client.info("server").get("redis_version", "7"))
