#!lua flags=no-writes
-- audit: say what is wrong with the crawl's keys.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 step    "all"; or, of a crawl that close has closed, one of those below
--          2...      claims: entries in processing
--                    twice: id and entry of those that are there twice, ...
--                    inflight, leases: ids there of pages that are not in processing
--                    tokens: such tokens, and their ids, ...
--                    revisits: ids in revisits, or in revisit_pages
--                    memory: names of buckets; remembered: number of pages in all of them
--                    deliveries: names in outbox, or in outbox_due
--                    lanes: name, "ready" or "snoozed" or "", number in flight, ...
--                    counts: number of pages queued
-- Uses     every key but those of known URLs, results, seeds and the log-in
-- With     core, lanes, leave, repair
-- Returns  sentences, none if nothing is wrong; for memory, the number of pages; for lanes, the number of pages queued before them;
--          for claims, ids and tokens in turn, then the sentences; "LARGE": too much for "all"
-- Cost     O(lanes + pages in flight + deliveries), about 10 ms for 500 lanes; of a step, O(ARGV)
inside = true
local crawl, refusal = load()
if not crawl then return refusal end
return examine(crawl)
