#!lua flags=allow-oom
-- submit: say that a run is about to send the form of its page. From here on the page is not tried
-- again, whatever becomes of the run: it ends among the failed, if it is not done.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 id      of the page
--          2 token   of the claim
-- Uses     inflight, meta (hashes), processing (list)
-- With     core, lanes, leave
-- Returns  "OK", "STALE" (the page is no longer this claim's, or past its hard deadline: it must
--          not be sent) or "CANCEL" (the crawl was cancelled)
-- Cost     O(P), P pages in flight (LREM)
local crawl, refusal = load()
if not crawl then return refusal end
local claim = held(ARGV[1])
if not claim or claim.token ~= ARGV[2] or now >= claim.deadline then return "STALE" end
if crawl.cancel then return "CANCEL" end
local entry = parse(claim.raw)
if not entry.sent and string.sub(entry.rest, -2) == "}]" then
  entry.rest = string.sub(entry.rest, 1, -2) .. SENT
  local raw = text(entry)
  redis.call("RPUSH", key("processing"), raw)
  redis.call("LREM", key("processing"), 1, claim.raw)
  local value = claim_value(claim.token, claim.worker, claim.deadline, raw, claim.claimed)
  redis.call("HSET", key("inflight"), claim.id, value)
end
return "OK"
