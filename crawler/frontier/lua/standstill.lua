#!lua flags=no-writes
-- standstill: return what may keep the crawl's pages from being claimed at this instant.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     none
-- Uses     meta, counts, inflight, tokens, outbox, lane:<lane> (hashes), processing, ready (lists),
--          delayed, snoozed, revisits, tickets, producers, outbox_due (zsets), lanes (set)
-- With     core, memory, lanes, revisits, wake
-- Returns  names and values in turn. Counts: processing, queued, delayed, outbox, producers,
--          eligible (pages that a run could claim now), lanes, tickets (on their way), revisits (to come), end_hook (1: the
--          crawl has ended, and its hook for that is still to be called). Times, in ms
--          since the epoch (0: none): now, held, held_last (its end, also when that is over),
--          held_since, paused_at, last_claim, active_since,
--          browser_wait (when a run last began to start a browser),
--          ticket (when the oldest one on its way was granted), retry (the next one), revisit (the next one), lane_at (when
--          the next lane may be served). Texts: status, reason, held_reason, paused_by, lane,
--          lane_why (delay, robots, retry_after or breaker)
-- Cost     O(log n)
local crawl, refusal = load()
if not crawl then return refusal end

local answer = {}
local function say(name, value)
  answer[#answer + 1] = name
  answer[#answer + 1] = type(value) == "number" and string.format("%.0f", value) or value or ""
end

say("now", now)
say("status", crawl.status)
say("reason", crawl.reason)
say("processing", processing())
say("queued", counted("queued"))
say("delayed", delayed())
say("outbox", redis.call("HLEN", key("outbox")))
say("producers", redis.call("ZCOUNT", key("producers"), "(" .. now, "+inf"))
say("eligible", eligible(crawl))
local pending = ENDED[crawl.status] and crawl.end_hook == 1 and crawl.end_hook_done ~= 1
say("end_hook", pending and 1 or 0)
say("lanes", redis.call("SCARD", key("lanes")))
say("held", (crawl.held or 0) > now and crawl.held or 0)
say("held_last", crawl.held or 0)
say("held_since", crawl.held_since or 0)
say("held_reason", crawl.held_reason)
say("paused_by", crawl.paused_by)
say("paused_at", crawl.paused_at or 0)
say("browser_wait", crawl.browser_wait or 0)
say("last_claim", crawl.last_claim or 0)
say("active_since", crawl.active_since or 0)
say("tickets", redis.call("ZCOUNT", key("tickets"), "(" .. now, "+inf"))
local oldest = redis.call("ZRANGEBYSCORE", key("tickets"), "(" .. now, "+inf", "LIMIT", 0, 1)[1]
say("ticket", tonumber(string.match(oldest or "", "^%x+%-(%d+)%-%d+$")) or 0)
local retry = redis.call("ZRANGE", key("delayed"), 0, 0, "WITHSCORES")[2]
say("retry", tonumber(retry or 0))
say("revisits", redis.call("ZCARD", key("revisits")))
say("revisit", tonumber(redis.call("ZRANGE", key("revisits"), 0, 0, "WITHSCORES")[2] or 0))
local first = redis.call("ZRANGE", key("snoozed"), 0, 0)[1]
if first then
  local lane = lane_of(first)
  local why = lane.delay > crawl.delay and "robots" or "delay"
  if lane.blocked > lane.next then why = lane.trips > 0 and "breaker" or "retry_after" end
  say("lane", first)
  say("lane_at", due(lane))
  say("lane_why", why)
end
return answer
