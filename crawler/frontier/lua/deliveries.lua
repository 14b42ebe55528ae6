#!lua flags=no-writes
-- deliveries: return which deliveries are on their way, and whose they are.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     none
-- Uses     meta, outbox (hashes)
-- With     core, outbox
-- Returns  name, worker ("": no run makes the attempt now), and so on
-- Cost     O(deliveries)
local crawl, refusal = load()
if not crawl then return without(refusal, {}) end
local flat = {}
for _, name in ipairs(redis.call("HKEYS", key("outbox"))) do
  flat[#flat + 1] = name
  flat[#flat + 1] = read_delivery(name).worker
end
return flat
