#!lua flags=allow-oom
-- repair: mend what audit finds: rebuild claims, lanes and counts from the lists. An entry in processing that nobody holds gets a
-- lease that ends now, so that it is tried again.
-- KEYS     1 prefix  "crawl:{name}:"
-- Uses     every key but those of known URLs, of results and of the log-in
-- With     core, lanes, leave, repair
-- Returns  sentences: what was wrong
-- Cost     O(lanes + pages in flight), about 10 ms for 1,000 lanes
local crawl, refusal = load()
if not crawl then return refusal end
local sentences = {}
for i, found in ipairs(examine(crawl)) do
  found[2]()
  sentences[i] = found[1]
end
return sentences
