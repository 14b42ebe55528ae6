-- fetching: pages in doubt: of a route of which both ways are compared, HTTP and Chrome, those that
-- came by HTTP since the last comparison that found no difference. The first difference queues them
-- again, whoever fetched them. A library; needs core, memory, lanes and revisits.
-- `doubtful` is a sorted set without scores, which keeps the order of its members: route, when the
-- page was done, entry.

local doubt, trust, resolve -- Lua allows two hundred names of one level
do

local DOUBTFUL_MAX = 1000 -- of one route: the latest
local AT_ONCE = 200

-- The bounds of the members of a route, or of those that were done before `time`.
local function members(route, time)
  local last = time and string.format("\n%013.0f", time) or "\11"
  return "[" .. route .. "\n", "(" .. route .. last
end

local function do_again(crawl, raw)
  local entry = raw and parse(raw)
  if entry and identify(entry) and come_back(crawl, entry.id, entry) then count("fetch_again") end
end

local function differs(route)
  return redis.call("HEXISTS", key("fetching"), "differs:" .. route) == 1
end

-- A page of the `route` that came by HTTP is done. If the route was found to differ meanwhile, the
-- page is queued again, else it is kept for a difference.
function doubt(crawl, route, raw)
  if differs(route) then return do_again(crawl, raw) end
  redis.call("ZADD", key("doubtful"), 0, string.format("%s\n%013.0f\n%s", route, now, raw))
  local first, last = members(route)
  if redis.call("ZLEXCOUNT", key("doubtful"), first, last) > DOUBTFUL_MAX then
    local oldest = redis.call("ZRANGEBYLEX", key("doubtful"), first, last, "LIMIT", 0, 1)
    redis.call("ZREM", key("doubtful"), unpack(oldest))
  end
end

-- A page of the `route` that was requested at `time` or later is the same both ways: pages that were
-- done before are trusted.
function trust(route, time)
  redis.call("ZREMRANGEBYLEX", key("doubtful"), members(route, time))
end

-- Queue pages in doubt of the `route` again, which differs, AT_ONCE at most. Returns their number.
function resolve(crawl, route)
  local first, last = members(route)
  local found = redis.call("ZRANGEBYLEX", key("doubtful"), first, last, "LIMIT", 0, AT_ONCE)
  for _, member in ipairs(found) do
    redis.call("ZREM", key("doubtful"), member)
    local raw = string.match(string.sub(member, #route + 2), "^%d+\n(.*)$")
    do_again(crawl, raw)
  end
  return #found
end

end
