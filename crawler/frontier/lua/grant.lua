#!lua flags=allow-oom
-- grant: issue the missing wake-ups: one for each page that could be claimed now, less those on
-- their way; and forget the deliveries that hooks took.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 nonce   random; the tickets are named after it
--          2 sums    "name amount name amount ...": the caller's addition to the tallies
--          3 taken   names of deliveries, separated by spaces
--          4 worker  that made them
-- Uses     meta, counts, examples, tallies, reasons, tokens, outbox, lane:<lane> (hashes),
--          processing, failed, queued..., ready (lists), delayed, snoozed, tickets, outbox_due
--          (zsets), lanes (set)
-- With     core, memory, lanes, revisits, wake, outbox
-- Returns  ended (1 for the call that ended the crawl), ms until a lane or a retry is due, or the
--          hold ends ("": tickets follow, no room, or nothing waits); tickets, at most 100
-- Cost     O(log n)
local crawl, refusal = load()
if not crawl then return without(refusal, { 0, "" }) end -- cleared while the caller worked
local ended = 0
if ARGV[3] ~= "" then
  delivered(ARGV[3], ARGV[4])
  if over(crawl) then ended = 1 end
end
return { ended, unpack(next_wake(crawl, ARGV[1], ARGV[2])) }
