#!lua flags=allow-oom
-- fail: report that a page was not done; its class decides what becomes of it.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 id      of the page
--          2 token   of the claim
--          3 class   retry, terminal, throttle, crash, infra, away, shared, hook
--          4 reason  for the dead letter
--          5 status  of HTTP, or 0
--          6 wait    ms of a Retry-After, or that a hook asks for, or ""
--          7 rand    a random number in [0,1), for the back-off
--          8 own     "1": the run itself reports it, and calls the hook `failed`
--          9 version of the definition by which the page was tried, or ""
--          10 route  that the page took, or "": the crawl has none
--          11 ms     that its run took
--          12 revisit ms until it is visited again if this was its last attempt; "": it is not
-- Uses     meta, counts, tallies, reasons, outages, alone, inflight, tokens, lane:<lane> (hashes),
--          processing, failed, queued..., ready (lists), leases, acks, delayed, snoozed, producers
--          (zsets), lanes (set)
-- With     core, memory, lanes, leave, revisits, outbox
-- Returns  verdict ("OK", "REPEATED", "STALE"), ended (1 for the call that ended the crawl), ms
--          until the page is tried again (or "")
-- Cost     O(P), P pages in flight (LREM)
local crawl, refusal = load()
if not crawl then return refusal end
local claim, verdict = proven(ARGV[1], ARGV[2])
if not claim then return { verdict, 0, "" } end
local class, reason, status = ARGV[3], ARGV[4], tonumber(ARGV[5])
local retry = fail(crawl, claim, class, reason, status, tonumber(ARGV[6]), tonumber(ARGV[7]))
if not retry then
  count_version("failed", ARGV[9])
  count_route("failed", ARGV[10], ARGV[11])
end
-- what is gone is not looked for again
if not retry and ARGV[12] ~= "" and status ~= 404 and status ~= 410 then
  plan_revisit(claim.id, claim.raw, tonumber(ARGV[12]))
end
if not retry and ARGV[8] == "1" then adopt(crawl, "failed-" .. claim.id, claim.worker) end
acknowledge(claim)
check_pages(crawl)
return { "OK", over(crawl) and 1 or 0, retry or "" }
