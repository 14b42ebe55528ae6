#!lua flags=allow-oom
-- release: give back the pages that a worker holds (it starts, or ends), without burning an
-- attempt.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 worker  whose claims; "": every worker's
--          2...      ids of pages, at most 20; with no id and no worker, all wake-ups, holds and
--                    seed loaders are forgotten, and deliveries are due, 500 at most
-- Uses     tickets, producers (zsets), timer (string); as fail
-- With     core, memory, lanes, leave, outbox
-- Returns  number of pages, or of deliveries: while there are any, the caller calls again
-- Cost     O(k P), k pages given back, P in flight
local crawl, refusal = load()
if not crawl then return refusal end
local AT_ONCE = 500
local released = 0
for i = 2, #ARGV do
  local claim = held(ARGV[i])
  if claim and (ARGV[1] == "" or claim.worker == ARGV[1]) then
    fail(crawl, claim, "infra", "released", 0, 0, 0)
    released = released + 1
  end
end
if ARGV[1] == "" and #ARGV == 1 then
  redis.call("DEL", key("tickets"), key("timer"), key("producers"))
  redis.call("HDEL", key("meta"), "held", "infra", "ticket_life")
  local names =
    redis.call("ZRANGEBYSCORE", key("outbox_due"), "(" .. now, "+inf", "LIMIT", 0, AT_ONCE)
  for _, name in ipairs(names) do schedule(name, now) end
  return #names
end
return released
