#!lua flags=allow-oom
-- reap: take back pages whose lease ran out; their workers are taken for dead.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 limit   pages at most
--          2 rand    a random number in [0,1), for the back-off
-- Uses     as fail
-- With     core, lanes, leave
-- Returns  number of pages, ended (1 for the call that ended the crawl)
-- Cost     O(k log n + k P), k pages reaped, P in flight
local crawl, refusal = load()
if not crawl then return refusal end
local reaped = reap(crawl, tonumber(ARGV[1]), tonumber(ARGV[2]))
return { reaped, over(crawl) and 1 or 0 }
