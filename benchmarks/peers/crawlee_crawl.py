"""A crawl by Crawlee for Python with Playwright, in the environment of the peers.

As many pages at once as sessions, its state in memory, and no wait beyond what is read.
"""

import asyncio
import json
import logging
import sys
import time
from pathlib import Path

from crawlee import ConcurrencySettings
from crawlee.crawlers import PlaywrightCrawler
from crawlee.storage_clients import MemoryStorageClient

address, kind, sessions, binary, flags, output = sys.argv[1:]
READ = """() => [
    document.title,
    document.getElementById("word").textContent,
    [...new Set(Array.from(document.links, (a) => a.href))].length,
]"""


async def main(lines):
    crawler = PlaywrightCrawler(
        headless=True,
        browser_type="chromium",
        browser_launch_options={
            "executable_path": binary,
            "args": flags.split(),
            "chromium_sandbox": "--no-sandbox" not in flags,
        },
        goto_options={"wait_until": "domcontentloaded"},
        concurrency_settings=ConcurrencySettings(
            min_concurrency=int(sessions),
            max_concurrency=int(sessions),
            desired_concurrency=int(sessions),
        ),
        storage_client=MemoryStorageClient(),
        respect_robots_txt_file=True,
        configure_logging=False,
    )

    @crawler.router.default_handler
    async def read(context):
        if kind == "js":
            await context.page.wait_for_selector("#word")
        title, word, links = await context.page.evaluate(READ)
        lines.write(
            json.dumps(
                {
                    "url": context.page.url,
                    "title": title,
                    "word": word,
                    "links": links,
                    "at": time.time(),
                }
            )
            + "\n"
        )
        await context.enqueue_links()

    await crawler.run([f"{address}/{kind}/0"])


logging.getLogger("crawlee").setLevel(logging.ERROR)
with Path(output).open("w", buffering=1) as lines:
    asyncio.run(main(lines))
