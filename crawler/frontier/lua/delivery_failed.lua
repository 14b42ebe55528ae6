#!lua flags=allow-oom
-- delivery_failed: a hook raised; it gets the delivery again after a pause, or it is a dead letter.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 name    of the delivery
--          2 reason  for the dead letter
--          3 rand    a random number in [0,1), for the back-off
--          4 worker  that made the attempt
--          5 wait    ms that the hook asks for, or ""
-- Uses     meta, counts, outbox (hashes), outbox_due (zset), undelivered (list)
-- With     core, lanes, leave, outbox
-- Returns  verdict ("OK", "STALE": the delivery is not this worker's any more), ms until the next
--          attempt ("": there is none), ended (1 for the call that ended the crawl)
-- Cost     O(log n)
local crawl, refusal = load()
if not crawl then return without(refusal, { "STALE", "", 0 }) end
local delivery = read_delivery(ARGV[1])
if not delivery or delivery.worker ~= ARGV[4] then return { "STALE", "", 0 } end
if delivery.attempts >= (crawl.after_attempts or 5) then
  give_up(crawl, ARGV[1], delivery, ARGV[2])
  return { "OK", "", over(crawl) and 1 or 0 }
end
local pause = math.min(REDELIVERY_MAX, REDELIVERY * 2 ^ math.min(30, delivery.attempts - 1))
pause = math.floor(pause * (0.5 + tonumber(ARGV[3]) / 2))
pause = math.max(1, math.min(REDELIVERY_MAX, tonumber(ARGV[5]) or pause))
delivery.worker, delivery.reason = "", cjson.encode(ARGV[2])
write_delivery(ARGV[1], delivery)
schedule(ARGV[1], now + pause)
if redis.call("HLEN", key("outbox")) >= OUTBOX_MAX then hold(crawl, pause, "too many results wait for their hooks") end
return { "OK", pause, 0 }
