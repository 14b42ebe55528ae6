#!lua flags=allow-oom
-- finish: a page is done. Its result is stored in the same step, so that every page yields exactly one.
-- KEYS     1 prefix   "crawl:{name}:"
-- ARGV     1 id       of the page
--          2 token    of the claim
--          3 record   line for the list done
--          4 result   JSON for the stream results, or ""
--          5 item     "1" if extract gave something
--          6 bucket   of the final URL after redirects, or "" if there were none
--          7 value    its fingerprint
--          8 latency  ms that the host took, for the automatic throttle; "": the time since the claim
--          9 status   of HTTP, or 0
-- Uses     meta, counts, tallies, inflight, tokens, lane:<lane> (hashes), processing, done (lists), leases, acks, results (stream), seen:...
-- With     core, lanes, leave, seen, done
-- Returns  verdict ("OK", "ALIAS": the final URL is another page that is known; "REPEATED", "STALE"), ended (1 for the call that
--          ended the crawl)
-- Cost     O(P), P pages in flight (LREM)
local crawl, refusal = load()
if not crawl then return refusal end
local claim, verdict = proven(ARGV[1], ARGV[2])
if not claim then return { verdict, 0 } end
return done(crawl, claim, 3)
