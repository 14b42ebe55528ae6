"""A process of a crawl by Scrapy and scrapy-redis, without a browser, in the environment of the
peers. The first one is given the address of the entry page, the others an empty one.

The settings of its documentation: a frontier and a filter of what was seen in Redis, shared by all
processes, and sixteen requests at once.
"""

import sys
from pathlib import Path

import redis
import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy_redis.spiders import RedisSpider
from scrapy_rows import SETTINGS, at_once, line_of, links_of

entry, server, idle, output = sys.argv[1:]
KEY = "site:start_urls"


class Site(RedisSpider):
    name = "site"
    redis_key = KEY
    max_idle_time = int(idle)

    def parse(self, response):
        links = links_of(response)
        lines.write(line_of(response, links))
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
            **at_once(16),
            **SETTINGS,
        }
    )
    process.crawl(Site)
    process.start()
