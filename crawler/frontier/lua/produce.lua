#!lua flags=allow-oom
-- produce: say that somebody adds seeds, so that an empty queue is not the end; or that it is through.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 name    of the producer
--          2 life    ms after which it is taken for dead; 0: it is through
-- Uses     meta (hash), producers (zset)
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
if crawl.status == "NEW" and redis.call("ZCARD", key("producers")) == 0 then become(crawl, "ACTIVE") end -- no seed came: that is the end
return over(crawl) and 1 or 0
