#!lua flags=allow-oom
-- close: keep all callers but audit and repair out of the crawl, while they go through it in steps;
-- or open it again. The other callers wait.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 token   random, of the caller
--          2 life    ms after which it is open again by itself; 0: open it
-- Uses     meta (hash)
-- With     core
-- Returns  1; 0 if it was to be opened, and is open already, or closed by another caller
-- Cost     O(1)
inside = ARGV[2] == "0"
local crawl, refusal = load()
if not crawl then return refusal end
if inside then
  local closed = crawl.closed_by == ARGV[1] and crawl.closed > now
  if crawl.closed_by == ARGV[1] then redis.call("HDEL", key("meta"), "closed", "closed_by") end
  return closed and 1 or 0
end
set(crawl, "closed", now + tonumber(ARGV[2]), "closed_by", ARGV[1])
return 1
