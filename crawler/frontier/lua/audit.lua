#!lua flags=no-writes
-- audit: say what is wrong with the crawl's keys.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 step    "all"; or, of a crawl that close has closed, "pages", "lanes" or "counts"
--          2...      lanes: name, "ready" or "snoozed" or "", number in flight, ...
--                    counts: number of pages queued
-- Uses     every key but those of known URLs, results, seeds and the log-in
-- With     core, lanes, leave, repair
-- Returns  sentences, none if nothing is wrong; for lanes, the number of pages queued before them;
--          "LARGE": too many lanes for "all"
-- Cost     O(lanes + pages in flight), about 10 ms for 500 lanes
inside = true
local crawl, refusal = load()
if not crawl then return refusal end
return examine(crawl)
