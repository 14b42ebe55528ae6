#!lua flags=allow-oom
-- timer: let one run at a time send a wake-up for later; the others learn that one is on its way.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 wait    ms from now
-- Uses     meta (hash), timer (string)
-- With     core
-- Returns  1 if the caller is to send it, 0 if one that is due no later is on its way
-- Cost     O(1)
local crawl, refusal = load()
if not crawl then return without(refusal, 0) end
local at = now + tonumber(ARGV[1])
local taken = tonumber(redis.call("GET", key("timer")) or 0)
if taken > now and taken <= at then return 0 end
redis.call("SET", key("timer"), at, "PX", math.max(1, tonumber(ARGV[1]) * 2))
return 1
