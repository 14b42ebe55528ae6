"""What both programs with Scrapy share: the line of a page, and settings."""

import json
import time

#: Settings of both: no delay, robots.txt obeyed, and nothing said.
SETTINGS = {
    "DOWNLOAD_DELAY": 0,
    "ROBOTSTXT_OBEY": True,
    "TELNETCONSOLE_ENABLED": False,
    "LOG_LEVEL": "ERROR",
}


def at_once(requests):
    """Settings for so many requests at once, all of them to one host."""
    return {"CONCURRENT_REQUESTS": requests, "CONCURRENT_REQUESTS_PER_DOMAIN": requests}


def links_of(response):
    """Return where the page leads."""
    return {response.urljoin(one) for one in response.css("a::attr(href)").getall()}


def line_of(response, links):
    """Return the line of a page, which the benchmark checks."""
    row = {
        "url": response.url,
        "title": response.css("title::text").get(),
        "word": response.css("#word::text").get(),
        "links": len(links),
        "at": time.time(),
    }
    return json.dumps(row) + "\n"
