#!lua flags=no-writes
-- seen: say whether a URL is known.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 bucket  32 bits
--          2 value   decimal, below 2^63
-- Uses     meta (hash), seen:<bucket> (intset)
-- With     core, seen
-- Returns  1 or 0
-- Cost     O(1)
local crawl, refusal = load()
if not crawl then return refusal end
return known(crawl, tonumber(ARGV[1]), ARGV[2]) and 1 or 0
