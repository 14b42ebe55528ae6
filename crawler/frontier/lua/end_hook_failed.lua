#!lua flags=allow-oom
-- end_hook_failed: the hook for the crawl's end raised; a tick asks for it again, or it is given up
-- and counted among the undelivered.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 reason  of the last attempt
-- Uses     meta, counts (hashes), undelivered (list)
-- With     core, outbox
-- Returns  1 if it is called again, else 0
-- Cost     O(1)
local crawl, refusal = load()
if not crawl then return without(refusal, 0) end
if not ENDED[crawl.status] or crawl.end_hook_done == 1 then return 0 end
-- the run that ended the crawl makes the first attempt unasked; the next ones follow as those of a
-- delivery
if (crawl.end_hook_asks or 0) == 0 then set(crawl, "end_hook_asks", 1) end
local pause = math.min(REDELIVERY_MAX, REDELIVERY * 2 ^ math.min(30, crawl.end_hook_asks - 1))
set(crawl, "end_hook_asked", now + pause - END_GRACE, "end_hook_reason", ARGV[1])
if crawl.end_hook_asks < (crawl.after_attempts or 5) then return 1 end
give_up_end_hook(crawl, ARGV[1])
return 0
