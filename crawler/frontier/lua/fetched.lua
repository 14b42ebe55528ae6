#!lua flags=allow-oom
-- fetched: note what a comparison of a page's two ways said, HTTP and Chrome, and tell all notes.
-- Pages in doubt of routes that differ are queued again.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 route   of the page, "": of none
--          2 verdict "same", "differs", or "" (nothing is noted)
--          3 shape   of the page's scripts, "": it has none
--          4 text    of a difference: the page and what differs
--          5 shapes  that are kept of a route, at most
--          6 time    of "same": no later than the page was requested, as an earlier call told it
-- Uses     meta, fetching, counts, memory, lane:<lane> (hashes), memory:<bucket> (hashes), doubtful,
--          snoozed (zsets), queued..., ready (lists), lanes (set)
-- With     core, memory, lanes, revisits, fetching
-- Returns  all fields of fetching: same:ROUTE (count), shape:ROUTE:SHAPE, shapes:ROUTE (count),
--          differs:ROUTE (text); then time (ms), again (number of pages that were queued: there may
--          be more while there are any, and the caller calls again)
-- Cost     O(shapes + routes + pages), 200 pages at most
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
  trust(route, tonumber(ARGV[6]))
elseif verdict == "differs" then
  redis.call("HSETNX", name, "differs:" .. route, ARGV[4])
end
local notes, again = redis.call("HGETALL", name), 0
for i = 1, #notes, 2 do
  local differing = again == 0 and string.match(notes[i], "^differs:(.*)$")
  if differing and not ENDED[crawl.status] then again = resolve(crawl, differing) end
end
for _, value in ipairs({ "time", string.format("%.0f", now), "again", again }) do
  notes[#notes + 1] = tostring(value)
end
return notes
