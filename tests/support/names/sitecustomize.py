"""A name server for the processes of a test: Python imports this at its start, from PYTHONPATH.

The file that ``TEST_NAMES`` names has a line for each name that it knows, ``NAME ADDRESS…``. It is
read at each look-up, so that a test can change its mind; what it does not know, this machine's own
resolver is asked.
"""

import os
import socket
from pathlib import Path

system_getaddrinfo = socket.getaddrinfo


def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):  # noqa: A002
    """Return the addresses in the file, each as this machine's resolver tells an address."""
    name = host.decode() if isinstance(host, bytes) else host
    for line in Path(os.environ["TEST_NAMES"]).read_text().splitlines():
        known, *addresses = line.split()
        if known == name:
            rows = [system_getaddrinfo(one, port, family, type, proto, flags) for one in addresses]
            return [row for found in rows for row in found]
    return system_getaddrinfo(host, port, family, type, proto, flags)


if "TEST_NAMES" in os.environ:
    socket.getaddrinfo = getaddrinfo
