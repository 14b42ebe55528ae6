#!lua flags=allow-oom
-- finish: report a page as done. The same step stores its result, so that every page yields exactly
-- one.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 to 21   see lib/done
-- Uses     meta, counts, examples, tallies, inflight, tokens, lane:<lane> (hashes), processing,
--          done, vanished, ready (lists), leases, acks, delayed, snoozed, producers, tickets (zsets), lanes
--          (set), results, memory, fetching (hashes), memory:<bucket> (hashes), doubtful
--          (zset)
-- With     core, memory, lanes, leave, seen, revisits, fetching, wake, done
-- Returns  see lib/done; the verdict is also "REPEATED" or "STALE"
-- Cost     O(P), P pages in flight (LREM)
local crawl, refusal = load()
if not crawl then return refusal end
local claim, verdict = proven(ARGV[1], ARGV[2])
if not claim then return { verdict, 0 } end
return done(crawl, claim, remember_page(crawl, claim))
