#!lua flags=allow-oom
-- fetched: note what a comparison of a page's two ways said, HTTP and Chrome, and tell all notes.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 route   of the page, "": of none
--          2 verdict "same", "differs", or "" (nothing is noted)
--          3 shape   of the page's scripts, "": it has none
--          4 text    of a difference: the page and what differs
--          5 shapes  that are kept of a route, at most
-- Uses     meta (hash), fetching (hash)
-- With     core
-- Returns  all fields of fetching: same:ROUTE (count), shape:ROUTE:SHAPE, shapes:ROUTE (count),
--          differs:ROUTE (text)
-- Cost     O(shapes)
local crawl, refusal = load()
if not crawl then return refusal end
local route, verdict, name = ARGV[1], ARGV[2], key("fetching")
if verdict == "same" then
  redis.call("HINCRBY", name, "same:" .. route, 1)
  local shape = "shape:" .. route .. ":" .. ARGV[3]
  if redis.call("HEXISTS", name, shape) == 0
    and redis.call("HINCRBY", name, "shapes:" .. route, 1) <= tonumber(ARGV[5]) then
    redis.call("HSET", name, shape, 1)
  end
elseif verdict == "differs" then
  redis.call("HSETNX", name, "differs:" .. route, ARGV[4])
end
return redis.call("HGETALL", name)
