#!lua flags=allow-oom
-- produce: say that a producer adds seeds, so that an empty queue is not the end; or that it has
-- finished.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 name    of the producer
--          2 life    ms after which it is taken for dead; 0: it has finished
-- Uses     meta, counts (hashes), processing (list), delayed, producers (zsets)
-- With     core
-- Returns  ended (1 for the call that ended the crawl)
-- Cost     O(log n)
local crawl, refusal = load()
if not crawl then return refusal end
local life = tonumber(ARGV[2])
if life > 0 then
  redis.call("ZADD", key("producers"), now + life, ARGV[1])
  return 0
end
redis.call("ZREM", key("producers"), ARGV[1])
-- no seed came: that is the end
if crawl.status == "NEW" and redis.call("ZCARD", key("producers")) == 0 then
  become(crawl, "ACTIVE")
end
return over(crawl) and 1 or 0
