"""A process of a crawl by Scrapy and scrapy-redis, without a browser, in the environment of the
peers. The first one is given the address of the entry page, the others an empty one.

The settings of its documentation: a frontier and a filter of what was seen in Redis, shared by all
processes, and sixteen requests at once.
"""

import json
import sys
import time
from pathlib import Path

import redis
import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy_redis.spiders import RedisSpider

entry, server, idle, output = sys.argv[1:]
KEY = "site:start_urls"


class Site(RedisSpider):
    name = "site"
    redis_key = KEY
    max_idle_time = int(idle)

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
            yield scrapy.Request(link)


if entry:
    redis.Redis.from_url(server).lpush(KEY, entry)
with Path(output).open("w", buffering=1) as lines:
    process = CrawlerProcess(
        {
            "REDIS_URL": server,
            "SCHEDULER": "scrapy_redis.scheduler.Scheduler",
            "DUPEFILTER_CLASS": "scrapy_redis.dupefilter.RFPDupeFilter",
            "SCHEDULER_PERSIST": True,
            "CONCURRENT_REQUESTS": 16,
            "CONCURRENT_REQUESTS_PER_DOMAIN": 16,
            "DOWNLOAD_DELAY": 0,
            "ROBOTSTXT_OBEY": True,
            "TELNETCONSOLE_ENABLED": False,
            "LOG_LEVEL": "ERROR",
        }
    )
    process.crawl(Site)
    process.start()
