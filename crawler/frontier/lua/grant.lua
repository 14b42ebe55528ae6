#!lua flags=allow-oom
-- grant: issue the missing wake-ups: one for each page that could be claimed now, less those on
-- their way.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 nonce   random; the tickets are named after it
--          2 sums    "name amount name amount ...": the caller's addition to the tallies
-- Uses     meta, counts, tallies, reasons, tokens, lane:<lane> (hashes), processing, failed,
--          queued..., ready (lists), delayed, snoozed, tickets (zsets), lanes (set)
-- With     core, lanes, wake
-- Returns  ms until a lane or a retry is due, or the hold ends ("": tickets follow, no room, or
--          nothing waits); tickets, at most 100
-- Cost     O(log n)
local crawl, refusal = load()
if not crawl then return without(refusal, { "" }) end -- cleared while the caller worked
return next_wake(crawl, ARGV[1], ARGV[2])
