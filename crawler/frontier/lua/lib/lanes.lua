-- lanes: groups of pages that share a delay. A lane is in exactly one place: idle (nothing queued),
-- ready (in the list `ready`), snoozed (in the zset `snoozed`, until it may be served) or busy (at
-- its cap). A library; needs core. A ready lane that may no longer be served stays in the list
-- until it is popped, and is put in its place then.

local LANE = {
  "place", "n", "r", "next", "blocked", "delay", "auto", "fails", "failed_at", "trips", "sending",
  "accepted",
}
local DAY = 86400000
local QUIET = 1800000 -- after so long without a failure, a lane's failures are forgiven
local AUTO_MAX = 60000
local LANES_MAX = 200000 -- beyond, further hosts share SHARED lanes
local SHARED = 4096
local SWEEP = 16 -- lanes, or retries, that one call brings back to where they can be claimed

-- The members of a zset that are due, SWEEP at most.
local function first_due(name)
  return redis.call("ZRANGEBYSCORE", key(name), "-inf", now, "LIMIT", 0, SWEEP)
end

-- The key of a lane's queue: priority 0 high, 1 normal, 2 low.
local function queue(lane, priority)
  local name = prefix .. "queued"
  if lane ~= "" then name = name .. ":" .. lane end
  if priority ~= 1 then name = name .. ":" .. priority end
  return name
end

local function lane_of(name)
  local values = redis.call("HMGET", key("lane:" .. name), unpack(LANE))
  local lane = { name = name, changes = {} }
  for i, field in ipairs(LANE) do lane[field] = tonumber(values[i] or 0) end
  lane.place, lane.sending, lane.known = values[1] or "idle", values[11] or "", values[1] and true
  return lane
end

local function change(lane, field, value)
  lane[field] = value
  local changes = lane.changes
  changes[#changes + 1] = field
  changes[#changes + 1] = value
end

local function store(lane)
  if not lane.known then
    redis.call("SADD", key("lanes"), lane.name)
    lane.known = true
  end
  if #lane.changes > 0 then redis.call("HSET", key("lane:" .. lane.name), unpack(lane.changes)) end
  lane.changes = {}
end

-- Milliseconds between two claims of the lane: the longest of the crawl's delay, its own
-- (robots.txt) and the automatic one.
local function delay_of(crawl, lane)
  local delay = math.max(crawl.delay, lane.delay)
  if crawl.throttle == 1 then delay = math.max(delay, lane.auto) end
  return delay
end

-- When the lane's next page may be claimed. Jitter only lengthens: delay × 1.0 to 1.5, so the gap
-- is never below the delay.
local function pace(crawl, lane, rand)
  local delay = delay_of(crawl, lane)
  if crawl.jitter == 1 then delay = delay * (1 + rand / 2) end
  return math.max(lane.next, math.ceil(now + delay))
end

local function due(lane) return math.max(lane.next, lane.blocked) end

local function full(crawl, lane)
  return (crawl.host_concurrency and lane.r >= crawl.host_concurrency) or lane.sending ~= ""
end

local function dead(crawl, lane)
  return crawl.breaker_trips > 0 and lane.trips > crawl.breaker_trips
end

-- Put the lane where it belongs. `popped` says that it was just taken off `ready`.
local function place(crawl, lane, popped)
  local where
  if lane.n <= 0 then where = "idle"
  elseif full(crawl, lane) then where = "busy"
  elseif due(lane) > now then where = "snoozed"
  else where = "ready" end
  if lane.place == "ready" and not popped then return end
  if where == "ready" then redis.call("RPUSH", key("ready"), lane.name) end
  if where == "snoozed" then
    redis.call("ZADD", key("snoozed"), due(lane), lane.name)
  elseif lane.place == "snoozed" then
    redis.call("ZREM", key("snoozed"), lane.name)
  end
  if where ~= lane.place then change(lane, "place", where) end
end

-- Put an entry back into its lane's queue, at the head: it has waited before.
local function requeue(lane, entry)
  redis.call("LPUSH", queue(entry.lane, entry.priority), text(entry))
  count("queued")
  change(lane, "n", lane.n + 1)
end

-- Bring retries and lanes that are due to where they can be claimed: at most SWEEP of each. A
-- draining crawl claims its retries from `delayed` itself.
local function promote(crawl)
  if not draining(crawl) then
    for _, raw in ipairs(first_due("delayed")) do
      local entry = parse(raw)
      redis.call("ZREM", key("delayed"), raw)
      if entry then
        local lane = lane_of(entry.lane)
        requeue(lane, entry)
        place(crawl, lane)
        store(lane)
      else
        bury(crawl, nil, raw, "terminal", "corrupt")
      end
    end
  end
  for _, name in ipairs(first_due("snoozed")) do
    local lane = lane_of(name)
    if lane.place ~= "snoozed" then redis.call("ZREM", key("snoozed"), name) end
    place(crawl, lane)
    store(lane)
  end
end

-- A page of the lane went well: forget its failures.
local function forgive(lane)
  if lane.fails > 0 or lane.trips > 0 then
    change(lane, "fails", 0)
    change(lane, "trips", 0)
  end
end

-- A page of the lane failed in a way that may be the host's: after so many in a row the lane is
-- snoozed, each time twice as long.
local function blame(crawl, lane)
  if now - math.max(lane.failed_at, lane.blocked) > QUIET then forgive(lane) end
  change(lane, "fails", lane.fails + 1)
  change(lane, "failed_at", now)
  local limit = crawl.breaker_failures
  if limit > 0 and lane.fails >= limit and lane.blocked <= now then
    change(lane, "trips", lane.trips + 1)
    if not dead(crawl, lane) then
      change(lane, "blocked", now + math.min(DAY, crawl.breaker_snooze * 2 ^ (lane.trips - 1)))
    end
  end
end

-- Milliseconds until the next lane, retry or revisit is due; nil if none waits.
local function next_due(crawl)
  local first
  local names = draining(crawl) and { "delayed" } or { "delayed", "snoozed", "revisits" }
  for _, name in ipairs(names) do
    local head = redis.call("ZRANGE", key(name), 0, 0, "WITHSCORES")
    if head[2] then first = math.min(first or math.huge, tonumber(head[2])) end
  end
  return first and math.max(1, first - now)
end
