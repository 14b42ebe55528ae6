#!lua flags=no-writes
-- audit: what is wrong with the crawl's keys.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 step    "all"; or, of a crawl that was closed, "pages", "lanes" or "counts"
--          2...      lanes: name, "ready" or "snoozed" or "", number in flight, ...; counts: pages queued
-- Uses     every key but those of known URLs, of results and of the log-in
-- With     core, lanes, leave, repair
-- Returns  sentences, none if all is well; before them, for lanes, the number of pages queued. "LARGE": too many lanes for "all"
-- Cost     O(lanes + pages in flight), about 10 ms for 500 lanes
inside = true
local crawl, refusal = load()
if not crawl then return refusal end
return examine(crawl)
