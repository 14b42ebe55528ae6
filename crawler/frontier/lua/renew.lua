#!lua flags=allow-oom
-- renew: extend the lease of a page that is being worked on; also one that ran out, if the page was
-- not taken back yet.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 id      of the page
--          2 token   of the claim
--          3 step    of the run that the page is at; "": not known
-- Uses     inflight, meta, steps (hashes), leases (zset)
-- With     core, lanes, leave
-- Returns  "OK", "STALE" (the page is no longer this claim's, or past its hard deadline) or
--          "CANCEL" (the crawl was cancelled)
-- Cost     O(log P), P pages in flight
local crawl, refusal = load()
if not crawl then return refusal end
local claim = held(ARGV[1])
if not claim or claim.token ~= ARGV[2] or now >= claim.deadline then return "STALE" end
if crawl.cancel then return "CANCEL" end
-- first a step that needs no memory: then a full Redis 6.2 allows the rest
redis.call("ZREM", key("leases"), claim.id)
redis.call("ZADD", key("leases"), math.min(now + crawl.lease, claim.deadline), claim.id)
if ARGV[3] and ARGV[3] ~= "" then redis.call("HSET", key("steps"), claim.id, ARGV[3]) end
return "OK"
