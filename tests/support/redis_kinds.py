"""Redis servers of every kind, as local processes: with TLS, as a Cluster, watched by Sentinels.
They say when they are ready.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import pytest
import redis as redis_py

from crawler.local.embedded import find_redis
from crawler.local.processes import die_with_parent
from tests.support.patience import PATIENCE
from tests.support.ports import free_port

HOST = "127.0.0.1"
SLOTS = 16384


@cache
def knows_tls() -> bool:
    """Whether the server was built with TLS. It reads its configuration in order, and ends at the
    first fault.
    """
    done = subprocess.run(
        [find_redis(), "--tls-port", "0", "--maxmemory-policy", "none"],
        capture_output=True,
        text=True,
        check=False,
    )
    return "tls-port" not in done.stdout + done.stderr


class Server:
    """A ``redis-server`` process. Its log is read as it is written, so that what it says can be
    waited for.
    """

    def __init__(
        self,
        folder: Path,
        *lines: str,
        port: int | None = None,
        tls: Certificates | None = None,
        role: str = "",
    ) -> None:
        self.folder, self.port, self.tls = folder, port or free_port(), tls
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "redis.conf"
        if not file.exists():  # a Sentinel writes into its own
            own = tls.lines(self.port) if tls else [f"port {self.port}"]
            save = [] if role else ['save ""']
            file.write_text(
                "\n".join([f'dir "{folder}"', f"bind {HOST}", *own, *save, *lines]) + "\n"
            )
        self.log: list[str] = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            [find_redis(), str(file), *([f"--{role}"] if role else [])],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            preexec_fn=die_with_parent(),
        )
        threading.Thread(target=self._read, daemon=True).start()
        self.wait_for("Sentinel ID" if role else "Ready to accept")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.log.append(line)
                self._news.notify_all()
        with self._news:
            self.log.append("the process has ended\n")
            self._news.notify_all()

    def wait_for(self, said: str, times: int = 1, seconds: float = PATIENCE) -> None:
        """Wait until the log holds lines that match ``said``, so many ``times``."""

        def seen() -> bool:
            return sum(bool(re.search(said, line)) for line in self.log) >= times or self.log[
                -1:
            ] == ["the process has ended\n"]

        with self._news:
            assert self._news.wait_for(seen, seconds), f"{said!r} was not said: {self.log[-5:]}"
        assert self.log[-1] != "the process has ended\n", "".join(self.log[-6:])

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def client(self, **options: object) -> redis_py.Redis:
        """A client that answers with text, for tests that look behind the scenes."""
        secure = {"ssl": True, "ssl_ca_certs": str(self.tls.ca)} if self.tls else {}
        return redis_py.Redis(HOST, self.port, decode_responses=True, **secure, **options)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The process neither answers nor ends: a machine that swaps, a disk that hangs."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL: nothing is written any more, and nobody is told."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.kill()


# -- TLS


class Certificates:
    """A certificate authority of our own, a server's certificate that it signed, and another
    authority that signed nothing.
    """

    def __init__(self, folder: Path) -> None:
        if not knows_tls():
            pytest.skip(f"{find_redis()} was built without TLS")
        if not shutil.which("openssl"):
            pytest.skip("no openssl is installed, to make certificates with")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        for name in ("ca", "other"):
            self._openssl(
                f"req -x509 -nodes {KEY} -keyout {name}.key -out {name}.pem -days 2 -subj"
                f" /CN={name}"
            )
        self._openssl(f"req -nodes {KEY} -keyout server.key -out server.csr -subj /CN=redis")
        (folder / "names").write_text(f"subjectAltName=IP:{HOST},DNS:localhost\n")
        signed = (
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem"
            " -days 2 -extfile names"
        )
        self._openssl(signed)
        self.ca, self.other = folder / "ca.pem", folder / "other.pem"

    def _openssl(self, words: str) -> None:
        subprocess.run(
            ["openssl", *words.split()], cwd=self.folder, check=True, capture_output=True
        )

    def lines(self, port: int) -> list[str]:
        """The configuration of a server that speaks nothing but TLS."""
        files = {
            "tls-cert-file": "server.pem",
            "tls-key-file": "server.key",
            "tls-ca-cert-file": "ca.pem",
        }
        named = [f'{name} "{self.folder / file}"' for name, file in files.items()]
        return ["port 0", f"tls-port {port}", "tls-auth-clients no", "tls-replication yes", *named]


KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1"


# -- Cluster


class LocalCluster:
    """Three masters that share the slots evenly."""

    def __init__(self, folder: Path, *, tls: Certificates | None = None) -> None:
        self._ending = ExitStack()
        self.tls = tls
        own = (
            "cluster-enabled yes",
            "cluster-node-timeout 2000",
            "appendonly yes",
            *(["tls-cluster yes"] if tls else []),
        )
        self.nodes = [
            self._ending.enter_context(Server(folder / str(number), *own, tls=tls))
            for number in range(3)
        ]
        clients = [node.client() for node in self.nodes]
        for number, client in enumerate(clients):
            first, last = number * SLOTS // 3, (number + 1) * SLOTS // 3
            client.execute_command("CLUSTER ADDSLOTS", *range(first, last))
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for other in self.nodes[1:]:
            clients[0].execute_command("CLUSTER MEET", HOST, other.port)
        for node in self.nodes:
            node.wait_for("Cluster state changed: ok")

    @property
    def url(self) -> str:
        hosts = ",".join(node.address for node in self.nodes)
        return (
            f"rediss+cluster://{hosts}?ssl_ca_certs={self.tls.ca}"
            if self.tls
            else f"redis+cluster://{hosts}"
        )

    def owner(self, key: str) -> Server:
        """The node that holds ``key``."""
        slot = self.slot(key)
        for first, last, (_, port, *_), *_ in (
            self.nodes[0].client().execute_command("CLUSTER SLOTS")
        ):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == port)
        raise AssertionError(f"nobody holds slot {slot}")

    def slot(self, key: str) -> int:
        return int(self.nodes[0].client().execute_command("CLUSTER KEYSLOT", key))

    @contextmanager
    def moving(self, key: str) -> Iterator[Server]:
        """Move the slot of ``key`` to another node. In the block the move has begun, and no key of
        the slot is over there yet.
        """
        slot, source = self.slot(key), self.owner(key)
        target = next(node for node in self.nodes if node is not source)
        here, there = source.client(), target.client()
        ids = {node: node.client().execute_command("CLUSTER MYID") for node in (source, target)}
        there.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ids[source])
        here.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ids[target])
        yield target
        while keys := here.execute_command("CLUSTER GETKEYSINSLOT", slot, 1000):
            here.execute_command("MIGRATE", HOST, target.port, "", 0, 5000, "KEYS", *keys)
        for node in (target, source, *self.nodes):
            node.client().execute_command("CLUSTER SETSLOT", slot, "NODE", ids[target])

    def __enter__(self) -> LocalCluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()


# -- Sentinel


class Watched:
    """A master with one replica, and three Sentinels that watch it under the name ``shop``."""

    service = "shop"

    def __init__(
        self,
        folder: Path,
        *,
        password: str,
        sentinel_password: str = "",
        tls: Certificates | None = None,
    ) -> None:
        self._ending = ExitStack()
        self.tls, self.password, self.sentinel_password = tls, password, sentinel_password
        own = (
            "appendonly yes",
            "repl-diskless-sync-delay 0",
            f"requirepass {password}",
            f"masterauth {password}",
        )

        def serve(name: str, *lines: str, role: str = "") -> Server:
            return self._ending.enter_context(Server(folder / name, *lines, tls=tls, role=role))

        self.master = serve("master", *own)
        self.replica = serve("replica", *own, f"replicaof {HOST} {self.master.port}")
        watch = (
            f"sentinel monitor {self.service} {HOST} {self.master.port} 2",
            f"sentinel auth-pass {self.service} {password}",
            f"sentinel down-after-milliseconds {self.service} 500",
            f"sentinel failover-timeout {self.service} 3000",
            *([f"requirepass {sentinel_password}"] if sentinel_password else ()),
        )
        self.replica.wait_for("MASTER <-> REPLICA sync: Finished")
        self.sentinels = [
            serve(f"sentinel{number}", *watch, role="sentinel") for number in range(3)
        ]
        for one in self.sentinels:
            one.wait_for(r"\+slave")
            one.wait_for(r"\+sentinel ", times=2)

    @property
    def url(self) -> str:
        hosts = ",".join(one.address for one in self.sentinels)
        base, query = ("rediss", f"?ssl_ca_certs={self.tls.ca}") if self.tls else ("redis", "")
        if self.sentinel_password:
            query += f"{'&' if query else '?'}sentinel_password={self.sentinel_password}"
        return f"{base}+sentinel://:{self.password}@{hosts}/{self.service}/0{query}"

    def wait_for_failover(self) -> None:
        """Wait until most Sentinels send clients to the other server."""
        for one in self.sentinels:
            one.wait_for(r"\+switch-master")

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()
