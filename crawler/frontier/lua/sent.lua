#!lua flags=allow-oom
-- sent: say that a run requests its page now: the lane's delay counts from here, and the lane may
-- serve other runs after it.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 id      of the page
--          2 token   of the claim
--          3 rand    a random number in [0,1), for jitter
-- Uses     inflight, meta, lane:<lane> (hashes), lanes (set), ready (list), snoozed (zset)
-- With     core, lanes, leave
-- Returns  "OK" or "STALE"
-- Cost     O(log n)
local crawl, refusal = load()
if not crawl then return refusal end
local claim = held(ARGV[1])
if not claim or claim.token ~= ARGV[2] then return "STALE" end
local lane = lane_of(parse(claim.raw).lane)
if delay_of(crawl, lane) > 0 then change(lane, "next", pace(crawl, lane, tonumber(ARGV[3]))) end
if lane.sending == claim.id then change(lane, "sending", "") end
place(crawl, lane)
store(lane)
return "OK"
