"""``python -m benchmarks.frontier [--quick]``: measure the frontier on a server of its own, and
write the results down.

The whole takes about half an hour and 3 GB of memory; ``--quick`` a minute, and writes nothing but
to the screen. ``--table`` measures nothing, and brings ``docs/scale.md`` up to the file of results;
``--link-data`` first measures again what the data of links costs, and ``--memory``
what it costs to remember pages, in seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import redis

from crawler.version import __version__

from .link_data import link_data
from .measure import measure
from .memory import PAGES, memory
from .rare import rare
from .server import ROOT, running
from .table import insert, tables

RESULTS = ROOT / "benchmarks" / "results" / "frontier" / "latest.json"
PAGE = ROOT / "docs" / "scale.md"
#: Known URLs, and how many of them are on each host (None: all on one).
SIZES = ((10_000, None), (100_000, None), (1_000_000, None), (10_000_000, None), (1_000_000, 10))
QUICK = ((10_000, None), (100_000, None), (20_000, 10))


def surroundings(folder: Path) -> dict[str, Any]:
    """Return the date, the versions and the machine of a measurement."""
    with running(folder) as server:
        redis_version = redis.Redis.from_url(server.url).info("server")["redis_version"]
    cpu = [
        line
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {
            "celery-crawler": __version__,
            "redis": redis_version,
            "redis-py": version("redis"),
            "python": platform.python_version(),
        },
        "machine": {
            "cpu": cpu[0].partition(":")[2].strip() if cpu else platform.machine(),
            "cores": os.cpu_count(),
            "system": platform.system(),
            "load": [round(load, 1) for load in os.getloadavg()],
        },
    }


def main() -> None:
    """Measure, row by row."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.frontier", description=__doc__.splitlines()[0]
    )
    options.add_argument("--quick", action="store_true", help="small sizes, to the screen")
    options.add_argument("--table", action="store_true", help="only write the table again")
    options.add_argument("--link-data", action="store_true", help="only measure links' data again")
    options.add_argument("--memory", action="store_true", help="only measure memory again")
    chosen = options.parse_args()
    if chosen.table or chosen.link_data or chosen.memory:
        results = json.loads(RESULTS.read_text())
        if chosen.memory:
            with tempfile.TemporaryDirectory(prefix="frontier-") as name:
                results["memory"] = memory(Path(name))
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        if chosen.link_data:
            with tempfile.TemporaryDirectory(prefix="frontier-") as name:
                results["link_data"] = link_data(Path(name))
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        insert(PAGE, tables(results))
        return
    with tempfile.TemporaryDirectory(prefix="frontier-") as name:
        folder = Path(name)
        results = surroundings(folder / "about") | {
            "rows": [],
            "link_data": link_data(folder / "link_data"),
            "memory": memory(folder / "memory", 2_000 if chosen.quick else PAGES),
            "rare": rare(folder / "rare", 0.1 if chosen.quick else 1.0),
        }
        for number, (urls, per_host) in enumerate(QUICK if chosen.quick else SIZES):
            results["rows"].append(
                asdict(
                    measure(
                        folder / str(number),
                        urls,
                        per_host=per_host,
                        times=20 if chosen.quick else 50,
                    )
                )
            )
            print(f"{urls:,} URLs measured", flush=True)
            if not chosen.quick:
                RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    if chosen.quick:
        print(tables(results))
    else:
        insert(PAGE, tables(results))


if __name__ == "__main__":
    main()
