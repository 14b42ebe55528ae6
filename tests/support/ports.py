"""Ports for servers that cannot choose one themselves."""

from __future__ import annotations

import random
import socket

#: Below the ports that the kernel gives to connections, and to servers that leave it the choice:
#: none of those takes a port between the test that found it and its server. Nor does Redis Cluster,
#: which also listens 10,000 above.
RANGE = range(11_000, 21_000)


def free_port() -> int:
    """Return a port of loopback that nobody listens at."""
    choice = random.SystemRandom().choice  # Hypothesis seeds the common one, in each process alike
    while True:
        port = choice(RANGE)
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def free_ports(count: int) -> list[int]:
    """Return so many ports, of which none is another."""
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port())
    return sorted(ports)
