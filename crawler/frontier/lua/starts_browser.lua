#!lua
-- starts_browser: note that a run is about to start a browser, which takes its time: its wake-up has
-- arrived, though no page is claimed yet.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     none
-- Uses     meta (hash)
-- With     core
-- Returns  the status that the crawl has; "" if there is no crawl
-- Cost     O(1)
local crawl, refusal = load()
if not crawl then return without(refusal, "") end
if crawl.status == "ACTIVE" or crawl.status == "DRAINING" then set(crawl, "browser_wait", now) end
return crawl.status
