"""``python -m benchmarks.pages [--quick] [--peers]``: crawl made-up sites with the product, and
load them by two shorter ways beside it, or by what else one would pick.

Rounds, sites and contenders take turns, so that what disturbs disturbs all of them; medians are
shown, with the spread. A page that is wrong fails the run, unless it is a peer's. The whole takes
more than an hour on two cores that have nothing else to do; ``--quick`` two minutes.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from benchmarks.peers import peer
from crawler.browser.chrome.local import find_chrome, find_driver, resolve_wrapper

from . import floor, limit, product, site, table
from .sample import Sample

ROUNDS = 3
#: Sessions at once, by site.
SESSIONS = {"light": (1, 2, 4, 8), "js": (1, 2, 4, 8), "heavy": (1, 2, 4, 8), "slow": (4, 16, 32)}
#: With peers, who take several times as long.
PEER_SESSIONS = {"light": (4,), "heavy": (4,), "slow": (16, 32)}
PEER_PAGES = 500
#: Without a browser: the site, and processes.
HTTP_SITE, HTTP_PROCESSES = "light", (2,)
QUICK_SESSIONS, QUICK_PAGES = {"light": (2, 4)}, 300


def main() -> None:
    """Measure, and show what was found."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.pages", description=__doc__.splitlines()[0]
    )
    options.add_argument(
        "--quick", action="store_true", help="the light site only, one round, fewer pages"
    )
    options.add_argument(
        "--peers", action="store_true", help="with what else one would pick; `make bench-peers`"
    )
    options.add_argument(
        "--save",
        action="store_true",
        help="write what was found to benchmarks/results/ and the documentation",
    )
    options.add_argument("--sites", help=f"of: {','.join(site.KINDS)}")
    options.add_argument("--sessions", help="browsers at once, separated by commas")
    options.add_argument("--what", help=f"of: {','.join(table.NAMES)}")
    options.add_argument("--pages", type=int, help="of each site")
    options.add_argument("--rounds", type=int)
    chosen = options.parse_args()
    usual = QUICK_SESSIONS if chosen.quick else PEER_SESSIONS if chosen.peers else SESSIONS
    counts = [int(one) for one in chosen.sessions.split(",")] if chosen.sessions else None
    sites = {
        kind: counts or usual.get(kind, SESSIONS[kind])
        for kind in (chosen.sites.split(",") if chosen.sites else usual)
    }
    what = chosen.what.split(",") if chosen.what else [*table.WHAT]
    if chosen.peers:
        what += [name for name in table.PEERS if name not in what]
    without = [*table.HTTP, *(table.HTTP_PEERS if chosen.peers else ())]
    if chosen.what:
        what, without = (
            [name for name in what if name not in {**table.HTTP, **table.HTTP_PEERS}],
            [name for name in what if name in {**table.HTTP, **table.HTTP_PEERS}],
        )
    pages = chosen.pages or (
        QUICK_PAGES if chosen.quick else PEER_PAGES if chosen.peers else site.PAGES
    )
    rounds = chosen.rounds or (1 if chosen.quick else ROUNDS)
    found, served = measure(sites, what, pages, rounds)
    if without:
        count = QUICK_PAGES if chosen.quick else table.HTTP_TIMES * pages
        found |= measure({HTTP_SITE: counts or HTTP_PROCESSES}, without, count, rounds)[0]
    rows = [table.row(kind, count, what, samples) for (kind, count, what), samples in found.items()]
    print(table.markdown(rows))
    if chosen.save:
        table.save(rows, served, pages=pages, rounds=rounds, peers=chosen.peers)
    strangers = {**table.PEERS, **table.HTTP_PEERS}
    if any(one["wrong_pages"] for one in rows if one["what"] not in strangers):
        sys.exit("some pages were wrong")


def measure(
    sites: Mapping[str, Sequence[int]], what: list[str], pages: int, rounds: int
) -> tuple[dict[tuple[str, int, str], list[Sample]], float]:
    """Every sample, by site, sessions and contender; and how many pages per second the server of
    the sites gives away.
    """
    chrome, driver = find_chrome(), find_driver()
    if not (chrome and driver):
        sys.exit("no Chrome and ChromeDriver on the path")
    binary, flags = (
        resolve_wrapper(chrome),
        [table.WINDOW, *(["--no-sandbox"] if os.geteuid() == 0 else [])],
    )
    ways: dict[str, Callable[[str, str, int, int], Sample]] = {
        "floor": lambda address, kind, count, amount: floor.run(
            address, kind, count, amount, binary, driver, flags
        ),
        "limit": lambda address, kind, count, amount: limit.run(
            address, kind, count, amount, binary, flags
        ),
        "product": product.run,
        "scrapy-redis": peer.run_redis,
    }
    for name in table.HTTP:
        ways[name] = partial(product.run, extra={"BENCH_FETCH": name})
    for name in table.PEERS:
        ways[name] = lambda address, kind, count, amount, name=name: peer.run(  # type: ignore[misc]
            name, address, kind, count, amount, binary, flags
        )
    with site.running(pages) as (address, _):
        served = site.capacity(address)
    print(f"the server of the sites gives away {served:,.0f} light pages per second", flush=True)
    found: dict[tuple[str, int, str], list[Sample]] = defaultdict(list)
    for _ in range(rounds):
        for kind, count in ((kind, count) for kind, counts in sites.items() for count in counts):
            amount = max(pages, table.SESSION_PAGES * count)
            with site.running(amount) as (address, _):
                for name in what:
                    got = ways[name](address, kind, count, amount)
                    found[kind, count, name].append(got)
                    print(
                        f"{kind:6} {count} {name:8} {got.pages_per_s:6.1f} pages/s",
                        f"{sum(got.cpu_ms.values()):.0f} ms {got.peak >> 20} MB",
                        f"{got.wrong} wrong",
                        got.cpu_ms,
                        got.more,
                        flush=True,
                    )
    return found, served


if __name__ == "__main__":
    main()
