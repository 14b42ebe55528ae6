#!lua flags=allow-oom
-- delivery_renew: a hook is still at work on a delivery; or its worker is gone, and it is due now.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 name    of the delivery
--          2 worker  that delivers it
--          3 gone    "1": that worker is gone
-- Uses     meta, outbox (hashes), outbox_due (zset)
-- With     core, outbox
-- Returns  "OK", or "STALE" (the delivery is no longer this worker's)
-- Cost     O(log n)
local crawl, refusal = load()
if not crawl then return without(refusal, "STALE") end
local delivery = read_delivery(ARGV[1])
if not delivery or delivery.worker ~= ARGV[2] then return "STALE" end
schedule(ARGV[1], ARGV[3] == "1" and now or now + crawl.lease)
return "OK"
