#!lua flags=allow-oom
-- note: keep who did what to the crawl from outside; the oldest of too many is forgotten.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 text    what was done, and by whom
--          2 most    number of notes that are kept
-- Uses     meta (hash), operations (list)
-- With     core
-- Returns  "OK"
-- Cost     O(1)
local crawl, refusal = load()
if not crawl then return refusal end
redis.call("RPUSH", key("operations"), string.format("%.0f ", now) .. ARGV[1])
redis.call("LTRIM", key("operations"), -tonumber(ARGV[2]), -1)
return "OK"
