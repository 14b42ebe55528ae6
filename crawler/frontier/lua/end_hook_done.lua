#!lua flags=allow-oom
-- end_hook_done: the hook for the crawl's end was called; nobody needs to call it again.
-- KEYS     1 prefix  "crawl:{name}:"
-- Uses     meta (hash)
-- With     core
-- Returns  "OK"
-- Cost     O(1)
local crawl, refusal = load()
if not crawl then return refusal end
if ENDED[crawl.status] then set(crawl, "end_hook_done", 1) end
return "OK"
