#!lua flags=allow-oom
-- lane: slow a lane down, or leave it in peace for a while.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 lane
--          2 what    "blocked" or "delay"
--          3 ms      blocked: from now; delay: between two claims (the crawl's own delay still holds)
-- Uses     meta, lane:<lane> (hashes), ready, snoozed
-- With     core, lanes
-- Returns  "OK"
-- Cost     O(log n)
local crawl, refusal = load()
if not crawl then return refusal end
local lane, ms = lane_of(ARGV[1]), tonumber(ARGV[3])
if ARGV[2] == "delay" then
  change(lane, "delay", ms)
else
  change(lane, "blocked", ms > 0 and math.max(lane.blocked, now + ms) or 0)
end
place(crawl, lane)
store(lane)
return "OK"
