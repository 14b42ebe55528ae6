#!lua flags=allow-oom
-- stop: begin no further page; the crawl is STOPPED when those in flight have finished. The queue
-- is kept.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 reason  that the crawl will show
--          2 cancel  "1": renew tells runs in flight to give their pages up
-- Uses     meta, counts (hashes), processing (list)
-- With     core
-- Returns  the status that the crawl has now, ended (1 if nothing was in flight, so that this call
--          ended it)
-- Cost     O(1)
local crawl, refusal = load()
if not crawl then return refusal end
if ENDED[crawl.status] then return { crawl.status, 0 } end
if ARGV[2] == "1" then set(crawl, "cancel", 1) end
if crawl.status ~= "STOPPING" then become(crawl, "STOPPING", ARGV[1]) end
local ended = over(crawl) and 1 or 0
if ended == 1 then ended_by_client(crawl) end
return { crawl.status, ended }
