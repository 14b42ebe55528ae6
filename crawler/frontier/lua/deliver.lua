#!lua flags=allow-oom
-- deliver: take a delivery out of the outbox's waiting ones, to make the next attempt at it.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 name    of the delivery
--          2 worker  that makes the attempt
-- Uses     meta, counts, outbox (hashes), outbox_due (zset), undelivered (list)
-- With     core, outbox
-- Returns  attempts (this one included), entry, what the hook is handed; or ended (1 for the call
--          that ended the crawl) and entry, where it is a dead letter now; or nothing, where there is
--          no such delivery any more
-- Cost     O(log n)
local crawl, refusal = load()
if not crawl then return without(refusal, {}) end
local delivery = read_delivery(ARGV[1])
if not delivery then
  if redis.call("HEXISTS", key("outbox"), ARGV[1]) == 0 then
    redis.call("ZREM", key("outbox_due"), ARGV[1])
  else
    give_up_unread(crawl, ARGV[1])
    if over(crawl) then ended_by_client(crawl) end
  end
  return {}
end
-- each attempt died before it could say anything
if delivery.attempts >= (crawl.after_attempts or 5) then
  local last = cjson.decode(delivery.reason)
  local reason = "its process died" .. (last ~= "" and " (before that: " .. last .. ")" or "")
  give_up(crawl, ARGV[1], delivery, reason)
  return { over(crawl) and 1 or 0, delivery.entry }
end
delivery.attempts, delivery.worker = delivery.attempts + 1, ARGV[2]
write_delivery(ARGV[1], delivery)
schedule(ARGV[1], now + crawl.lease)
return { delivery.attempts, delivery.entry, delivery.handed }
