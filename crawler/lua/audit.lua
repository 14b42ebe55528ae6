#!lua flags=no-writes
-- audit: what is wrong with the crawl's keys.
-- KEYS     1 prefix  "crawl:{name}:"
-- Uses     every key but those of known URLs, of results and of the log-in
-- With     core, lanes, leave, repair
-- Returns  sentences; none if all is well
-- Cost     O(lanes + pages in flight), about 3 ms for 1,000 lanes
local crawl, refusal = load()
if not crawl then return refusal end
local sentences = {}
for i, found in ipairs(examine(crawl)) do sentences[i] = found[1] end
return sentences
