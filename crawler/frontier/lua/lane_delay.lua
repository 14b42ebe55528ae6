#!lua flags=allow-oom
-- lane_delay: set the least time between two claims of a lane; the crawl's own delay still holds.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 lane
--          2 delay   ms
-- Uses     meta, lane:<lane> (hashes), lanes (set), ready (list), snoozed (zset)
-- With     core, lanes
-- Returns  "OK"
-- Cost     O(log n)
local crawl, refusal = load()
if not crawl then return refusal end
local lane = lane_of(ARGV[1])
change(lane, "delay", tonumber(ARGV[2]))
place(crawl, lane)
store(lane)
return "OK"
