"""A crawl by Scrapy and scrapy-playwright, in the environment of the peers.

Its settings are those that its documentation advises for speed: as many pages at once as sessions,
no wait beyond what is read, and Chrome's own headers, which spares a round for each request.
"""

import json
import sys
import time
from pathlib import Path

import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy_playwright.page import PageMethod

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
        links = {response.urljoin(one) for one in response.css("a::attr(href)").getall()}
        lines.write(
            json.dumps(
                {
                    "url": response.url,
                    "title": response.css("title::text").get(),
                    "word": response.css("#word::text").get(),
                    "links": len(links),
                    "at": time.time(),
                }
            )
            + "\n"
        )
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
            "CONCURRENT_REQUESTS": int(sessions),
            "CONCURRENT_REQUESTS_PER_DOMAIN": int(sessions),
            "DOWNLOAD_DELAY": 0,
            "ROBOTSTXT_OBEY": True,
            "TELNETCONSOLE_ENABLED": False,
            "LOG_LEVEL": "ERROR",
        }
    )
    process.crawl(Site)
    process.start()
