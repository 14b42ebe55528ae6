#!lua flags=no-writes
-- deliveries: return the deliveries that are on their way.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 held   "1": only those of which a run makes an attempt now
--          2 count  at most so many; the others are those that are tried last
-- Uses     meta, outbox (hashes), outbox_due (zset)
-- With     core, outbox
-- Returns  of each: name, attempts, worker ("": no run makes the attempt now), ms until the next
--          attempt, the error of the last one as JSON, entry
-- Cost     O(deliveries)
local crawl, refusal = load()
if not crawl then return without(refusal, {}) end
local found = {}
local due = redis.call("ZRANGE", key("outbox_due"), 0, -1, "WITHSCORES")
for i = 1, #due, 2 do
  local delivery = read_delivery(due[i])
  if delivery and (ARGV[1] ~= "1" or delivery.worker ~= "") then
    found[#found + 1] = {
      due[i], delivery.attempts, delivery.worker, math.floor(due[i + 1] - now), delivery.reason,
      delivery.entry,
    }
    if #found >= tonumber(ARGV[2]) then break end
  end
end
return found
