#!lua flags=allow-oom
-- release: give back what a worker holds (it starts anew, or ends), without burning an attempt.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 worker  whose claims; "": everybody's, and all wake-ups and holds are forgotten
-- Uses     as fail
-- With     core, lanes, leave
-- Returns  number of pages
-- Cost     O(k P), k pages given back, P in flight
local crawl, refusal = load()
if not crawl then return refusal end
local released = 0
for _, id in ipairs(redis.call("HKEYS", key("inflight"))) do
  local claim = held(id)
  if ARGV[1] == "" or claim.worker == ARGV[1] then
    fail(crawl, claim, "infra", "released", 0, 0, 0)
    released = released + 1
  end
end
if ARGV[1] == "" then
  redis.call("DEL", key("tickets"), key("timer"), key("producers"))
  redis.call("HDEL", key("meta"), "held", "infra", "ticket_life")
end
return released
