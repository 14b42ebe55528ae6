#!lua flags=allow-oom
-- ticket: give a wake-up back, or keep it for longer.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 ticket
--          2 life    ms from now; 0 gives it back
-- Uses     meta (hash), tickets (zset)
-- With     core
-- Returns  1 if the ticket was there
-- Cost     O(log n)
local life = tonumber(ARGV[2])
if life == 0 then return redis.call("ZREM", key("tickets"), ARGV[1]) end
local crawl, refusal = load()
if not crawl then return without(refusal, 0) end
if not redis.call("ZSCORE", key("tickets"), ARGV[1]) then return 0 end
redis.call("ZADD", key("tickets"), now + life, ARGV[1])
return 1
