#!lua flags=allow-oom
-- limits: change fields of the crawl's policy, while it goes on.
-- KEYS     1 prefix   "crawl:{name}:"
-- ARGV     1 dropped  number of fields that follow, whose limit is lifted
--          2...       those fields; then field, value, ...
-- Uses     meta, counts (hashes), processing (list), delayed, producers (zsets)
-- With     core
-- Returns  the status that the crawl has now, ended (1 for the call that ended the crawl)
-- Cost     O(1)
local crawl, refusal = load()
if not crawl then return refusal end
local dropped = tonumber(ARGV[1])
for i = 2, 1 + dropped do redis.call("HDEL", key("meta"), ARGV[i]) end
for i = 2 + dropped, #ARGV, 2 do redis.call("HSET", key("meta"), ARGV[i], ARGV[i + 1]) end
crawl = load()
if crawl.status == "DRAINING" then become(crawl, "ACTIVE") end -- unless a limit is still reached
check_time(crawl)
check_pages(crawl)
local ended = over(crawl) and 1 or 0
if ended == 1 then ended_by_client(crawl) end
return { crawl.status, ended }
