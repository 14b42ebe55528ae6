"""A crawl by Scrapy and scrapy-playwright, in the environment of the peers.

Its settings are those that its documentation advises for speed: as many pages at once as sessions,
no wait beyond what is read, and Chrome's own headers, which spares a round for each request.
"""

import sys
from pathlib import Path

import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy_playwright.page import PageMethod
from scrapy_rows import SETTINGS, at_once, line_of, links_of

address, kind, sessions, binary, flags, output = sys.argv[1:]


class Site(scrapy.Spider):
    name = "site"

    async def start(self):
        yield self.page(f"{address}/{kind}/0")

    def page(self, url):
        meta = {
            "playwright": True,
            "playwright_page_goto_kwargs": {"wait_until": "domcontentloaded"},
        }
        if kind == "js":
            meta["playwright_page_methods"] = [PageMethod("wait_for_selector", "#word")]
        return scrapy.Request(url, meta=meta)

    def parse(self, response):
        links = links_of(response)
        lines.write(line_of(response, links))
        for link in links:
            yield self.page(link)


handler = "scrapy_playwright.handler.ScrapyPlaywrightDownloadHandler"
with Path(output).open("w", buffering=1) as lines:
    process = CrawlerProcess(
        {
            "TWISTED_REACTOR": "twisted.internet.asyncioreactor.AsyncioSelectorReactor",
            "DOWNLOAD_HANDLERS": {"http": handler, "https": handler},
            "PLAYWRIGHT_LAUNCH_OPTIONS": {
                "executable_path": binary,
                "args": flags.split(),
                "chromium_sandbox": "--no-sandbox" not in flags,
            },
            "PLAYWRIGHT_MAX_PAGES_PER_CONTEXT": int(sessions),
            "PLAYWRIGHT_PROCESS_REQUEST_HEADERS": None,
            **at_once(int(sessions)),
            **SETTINGS,
        }
    )
    process.crawl(Site)
    process.start()
