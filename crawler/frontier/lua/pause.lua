#!lua flags=allow-oom
-- pause: hand out no page until resume; pages in flight finish. The status outlives every process.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 by      who pauses it
-- Uses     meta (hash)
-- With     core
-- Returns  the status that the crawl has now; or the error REFUSED
-- Cost     O(1)
local crawl, refusal = load()
if not crawl then return refusal end
if crawl.status == "PAUSED" then return "PAUSED" end
if crawl.status == "STOPPING" or ENDED[crawl.status] then
  return redis.error_reply("REFUSED a crawl that is " .. crawl.status .. " cannot be paused")
end
set(crawl, "paused_from", crawl.status, "paused_by", ARGV[1], "paused_at", now)
become(crawl, "PAUSED", crawl.reason)
return "PAUSED"
