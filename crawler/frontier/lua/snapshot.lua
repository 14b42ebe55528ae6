#!lua flags=no-writes
-- snapshot: return counts and state at one instant.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     none
-- Uses     meta, counts, reasons, examples, outbox, memory (hashes), processing (list), delayed, revisits,
--          tickets (zsets)
-- With     core
-- Returns  status, reason, generation, active ms, started, ended, held (each "" if unknown),
--          processing, delayed, live tickets, when the first page was handed out ("" if none was),
--          counts and reasons as flat lists, deliveries on their way (the crawl's end among them),
--          examples as a flat list, pages that were known when this generation began,
--          pages that are to be visited again, when the first of them is (or "")
-- Cost     O(1): kinds of failure, counts and examples are some hundred at most
local crawl, refusal = load()
if not crawl then return refusal end
local extra = redis.call("HMGET", key("meta"), "generation", "ended", "begun")
local held = crawl.held or 0
-- an earlier version kept a reason for each failure that was worded differently
local reasons
if redis.call("HLEN", key("reasons")) <= 2 * KINDS_MAX then
  reasons = redis.call("HGETALL", key("reasons"))
else
  reasons = redis.call("HSCAN", key("reasons"), 0, "COUNT", KINDS_MAX)[2]
  local rest = counted("failed")
  for i = 2, #reasons, 2 do rest = rest - tonumber(reasons[i]) end
  if rest > 0 then
    reasons[#reasons + 1] = "other"
    reasons[#reasons + 1] = rest
  end
end
local delivering = redis.call("HLEN", key("outbox"))
if ENDED[crawl.status] and crawl.end_hook == 1 and crawl.end_hook_done ~= 1 then
  delivering = delivering + 1
end
return {
  crawl.status, crawl.reason or "", extra[1] or "0", math.floor(active(crawl)),
  crawl.started or "", extra[2] or "", held > now and held or "", processing(), delayed(),
  redis.call("ZCOUNT", key("tickets"), "(" .. now, "+inf"), extra[3] or "",
  redis.call("HGETALL", key("counts")), reasons,
  delivering,
  redis.call("HGETALL", key("examples")),
  tonumber(redis.call("HGET", key("memory"), "known") or 0),
  redis.call("ZCARD", key("revisits")),
  redis.call("ZRANGE", key("revisits"), 0, 0, "WITHSCORES")[2] or "",
}
