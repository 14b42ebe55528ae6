#!lua flags=no-writes
-- deliveries: return the deliveries that are on their way.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 held   "1": only those of which a run makes an attempt now
--          2 count  at most so many; the others are those that are tried last
-- Uses     meta, outbox (hashes), outbox_due (zset)
-- With     core, outbox
-- Returns  of each: name, attempts, worker ("": no run makes the attempt now), ms until the next
--          attempt, the error of the last one as JSON, entry
-- Cost     O(count), or O(1,000) for those that are held
local crawl, refusal = load()
if not crawl then return without(refusal, {}) end
local LOOKED_AT = 1000
local found = {}
-- a run's own are due when its lease ends
local first = ARGV[1] == "1" and now or "-inf"
local due = redis.call("ZRANGEBYSCORE", key("outbox_due"), first, "+inf", "WITHSCORES", "LIMIT", 0,
  ARGV[1] == "1" and LOOKED_AT or ARGV[2])
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
