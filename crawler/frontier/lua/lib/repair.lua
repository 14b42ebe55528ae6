-- repair: what can be wrong with a crawl's keys, each with its mending. The lists (queued, processing, done, failed) and `delayed` are
-- true; everything else is derived from them. A library; needs core, lanes and leave.

local AT_ONCE = 500 -- lanes that one call looks at

local wrong, mending = {}, false

-- Note what is wrong, and mend it if that was asked for.
local function find(mend, sentence, ...)
  wrong[#wrong + 1] = string.format(sentence, ...)
  if mending then mend() end
end

-- Every entry in `processing` has one claim, one token and one lease; and nothing else has.
local function examine_pages(crawl)
  local working = {}
  for _, raw in ipairs(redis.call("LRANGE", key("processing"), 0, -1)) do
    local entry = parse(raw)
    local id = identify(entry)
    if not id then
      find(function()
        redis.call("LREM", key("processing"), 1, raw)
        bury(crawl, nil, raw, "terminal", "corrupt")
      end, "an entry in processing cannot be read: %s", raw)
    elseif working[id] then
      find(function() redis.call("LREM", key("processing"), 1, raw) end, "page %s is in processing twice", id)
    else
      local claim = held(id)
      if not claim or claim.raw ~= raw then
        claim = { token = "repaired-" .. id }
        find(function()
          redis.call("HSET", key("inflight"), id, string.format("%s\nrepair\n%.0f\n%.0f\n%s", claim.token, now, now, raw))
          redis.call("HSET", key("tokens"), claim.token, id)
          redis.call("ZADD", key("leases"), now, id)
        end, "page %s is in processing, but nobody holds it", id)
      else
        if not redis.call("ZSCORE", key("leases"), id) then
          find(function() redis.call("ZADD", key("leases"), now, id) end, "page %s is held without a lease", id)
        end
        if redis.call("HGET", key("tokens"), claim.token) ~= id then
          find(function() redis.call("HSET", key("tokens"), claim.token, id) end, "the token of page %s is not known", id)
        end
      end
      working[id] = claim.token
    end
  end
  for _, id in ipairs(redis.call("HKEYS", key("inflight"))) do
    if not working[id] then find(function() redis.call("HDEL", key("inflight"), id) end, "page %s is held, but not in processing", id) end
  end
  for _, id in ipairs(redis.call("ZRANGE", key("leases"), 0, -1)) do
    if not working[id] then find(function() redis.call("ZREM", key("leases"), id) end, "page %s has a lease, but is not in processing", id) end
  end
  local tokens = redis.call("HGETALL", key("tokens"))
  for i = 1, #tokens, 2 do
    local token, id = tokens[i], tokens[i + 1]
    if working[id] ~= token then find(function() redis.call("HDEL", key("tokens"), token) end, "a token of page %s is left over", id) end
  end
end

local function has(name)
  local n = 0
  for priority = 0, 2 do n = n + redis.call("LLEN", queue(name, priority)) end
  return n
end

-- Every lane counts what it has, and is in its one place. `there`: "ready", "snoozed" or "", as its list and its zset say; `running`:
-- pages in flight. What is wrong is mended by `replace_lanes`, for all of them. Returns the number of pages queued.
local function examine_lane(crawl, name, there, running)
  local lane, n = lane_of(name), has(name)
  local function say(...) find(function() end, ...) end
  if lane.n ~= n then say("lane '%s' counts %d pages queued, and has %d", name, lane.n, n) end
  if lane.r ~= running then say("lane '%s' counts %d pages in flight, and has %d", name, lane.r, running) end
  if lane.sending ~= "" and redis.call("HEXISTS", key("inflight"), lane.sending) == 0 then
    say("lane '%s' waits for a page that nobody holds", name)
  end
  local said = (lane.place == "ready" or lane.place == "snoozed") and lane.place or ""
  if there ~= said then say("lane '%s' is said to be %s, but is in %s", name, lane.place, there ~= "" and there or "no place") end
  if lane.place == "idle" and n > 0 then say("lane '%s' is idle with %d pages queued", name, n) end
  if lane.place == "busy" and not full(crawl, lane) then say("lane '%s' is busy below its cap", name) end
  return n
end

local function clear_places() redis.call("UNLINK", key("ready"), key("snoozed")) end

-- Put a lane in its place, after `clear_places`.
local function replace_lane(crawl, name, running)
  local lane = lane_of(name)
  change(lane, "n", has(name))
  change(lane, "r", running)
  if lane.sending ~= "" and redis.call("HEXISTS", key("inflight"), lane.sending) == 0 then change(lane, "sending", "") end
  change(lane, "place", "idle")
  place(crawl, lane)
  store(lane)
end

-- The counts add up; `queued` pages wait in the lists.
local function examine_counts(queued)
  local function is(name, value) return function() redis.call("HSET", key("counts"), name, value) end end
  if counted("queued") ~= queued then
    find(is("queued", queued), "%d pages are counted as queued, and there are %d", counted("queued"), queued)
  end
  local sum = queued + delayed() + processing()
  for _, name in ipairs({ "done", "failed" }) do -- these lists may be drained, so that there may be fewer
    local listed = redis.call("LLEN", key(name))
    if counted(name) < listed then find(is(name, listed), "%d pages are counted as %s, and there are %d", counted(name), name, listed) end
    sum = sum + math.max(counted(name), listed)
  end
  if counted("accepted") ~= sum then
    find(is("accepted", sum), "%d pages were accepted, and there are %d", counted("accepted"), sum)
  end
  if counted("seen") < sum then
    find(is("seen", sum), "%d URLs are counted as known, fewer than the %d pages that were accepted", counted("seen"), sum)
  end
end

-- All of it, in one step; "LARGE" if that would take too long: then the caller closes the crawl and goes through it in steps.
local function examine_all(crawl)
  for _, many in ipairs({ redis.call("SCARD", key("lanes")), redis.call("LLEN", key("ready")), redis.call("ZCARD", key("snoozed")) }) do
    if many > AT_ONCE then return "LARGE" end
  end
  examine_pages(crawl)
  local there, running, queued, fine = {}, {}, 0, #wrong
  for _, name in ipairs(redis.call("SMEMBERS", key("lanes"))) do there[name] = "" end
  for _, raw in ipairs(redis.call("LRANGE", key("processing"), 0, -1)) do
    local entry = parse(raw)
    if entry then
      running[entry.lane] = (running[entry.lane] or 0) + 1
      there[entry.lane] = there[entry.lane] or ""
    end
  end
  for where, names in pairs({ ready = redis.call("LRANGE", key("ready"), 0, -1), snoozed = redis.call("ZRANGE", key("snoozed"), 0, -1) }) do
    for _, name in ipairs(names) do there[name] = ((there[name] or "") ~= "" and there[name] .. " and " or "") .. where end
  end
  for name, where in pairs(there) do queued = queued + examine_lane(crawl, name, where, running[name] or 0) end
  if mending and #wrong > fine then
    clear_places()
    for name in pairs(there) do replace_lane(crawl, name, running[name] or 0) end
  end
  examine_counts(queued)
  return wrong
end

-- What the scripts audit and repair do, by the step that is asked for.
local function examine(crawl)
  local step = ARGV[1]
  if step == "all" then return examine_all(crawl) end
  if step == "pages" then examine_pages(crawl) end
  if step == "counts" then examine_counts(tonumber(ARGV[2])) end
  if step == "lanes" then
    local queued = 0
    for i = 2, #ARGV, 3 do queued = queued + examine_lane(crawl, ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])) end
    return { queued, unpack(wrong) }
  end
  if step == "clear" then clear_places() end
  if step == "replace" then
    for i = 2, #ARGV, 3 do replace_lane(crawl, ARGV[i], tonumber(ARGV[i + 2])) end
  end
  return wrong
end
