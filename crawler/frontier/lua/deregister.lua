#!lua
-- deregister: add the links of a page, and report it as done, in one step: the work of enqueue and
-- finish. A full server refuses it as a whole, as it does enqueue; finish alone is always taken.
-- KEYS     1 prefix    "crawl:{name}:"
-- ARGV     1 to 21     see lib/done
--          22 skipped  JSON: reason -> number of links that the caller dropped, or [number,
--                      example], to be counted with those dropped here
--          23...       bucket, value, entry; for each link, at most 200: see enqueue
-- Uses     as enqueue and finish
-- With     core, memory, lanes, leave, seen, links, revisits, fetching, wake, done
-- Returns  as finish
-- Cost     O(links + P), P pages in flight (LREM); 2.5 ms for 200 new ones
local crawl, refusal = load()
if not crawl then return refusal end
local claim, verdict = proven(ARGV[1], ARGV[2])
if not claim then return { verdict, 0 } end
local no = unwilling(crawl, true)
if no then return no end
local pages, fault = linked_pages(23)
if not pages then return fault end
local fresh = remember_page(crawl, claim) -- before its links: it may be one of them, again
add(crawl, pages, cjson.decode(ARGV[22]), false)
return done(crawl, claim, fresh)
