#!lua flags=allow-oom
-- end_hook_done: note that the hook for the crawl's end was called; ticks ask for it no more.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     none
-- Uses     meta (hash)
-- With     core
-- Returns  "OK"
-- Cost     O(1)
local crawl, refusal = load()
if not crawl then return refusal end
if ENDED[crawl.status] then set(crawl, "end_hook_done", 1) end
return "OK"
