#!lua
-- repair: rebuild what is derived from the lists, and say what was wrong. An entry in processing
-- without a claim gets a lease that ends now, so that it is tried again.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     as audit; and the step "clear", which takes all lanes from their places, before
--          "replace" puts them there again
-- Uses     every key but those of known URLs, results, seeds and the log-in
-- With     core, lanes, leave, repair
-- Returns  as audit: what was wrong
-- Cost     O(lanes + pages in flight + deliveries), about 15 ms for 500 lanes; of a step, O(ARGV),
--          and O(P) for each entry that is taken out of processing (LREM), P pages there
inside, mending = true, true
local crawl, refusal = load()
if not crawl then return refusal end
return examine(crawl)
