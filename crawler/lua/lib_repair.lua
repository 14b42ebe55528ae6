-- repair: what can be wrong with a crawl's keys, each with its mending. The lists (queued, processing, done, failed) and `delayed` are
-- true; everything else is derived from them. A library; needs core, lanes and leave.

-- What is wrong: a list of { sentence, mend }, to be mended in this order.
local function examine(crawl)
  local wrong = {}
  local function find(mend, sentence, ...) wrong[#wrong + 1] = { string.format(sentence, ...), mend } end

  -- Every entry in `processing` has one claim, one token and one lease; and nothing else has.
  local working, running, lanes = {}, {}, {}
  for _, raw in ipairs(redis.call("LRANGE", key("processing"), 0, -1)) do
    local entry = parse(raw)
    if not identify(entry) then
      find(function()
        redis.call("LREM", key("processing"), 1, raw)
        bury(crawl, nil, raw, "terminal", "corrupt")
      end, "an entry in processing cannot be read: %s", raw)
    elseif working[entry.id] then
      find(function() redis.call("LREM", key("processing"), 1, raw) end, "page %s is in processing twice", entry.id)
    else
      local claim = held(entry.id)
      if not claim or claim.raw ~= raw then
        local token = "repaired-" .. entry.id
        claim = { token = token }
        find(function()
          redis.call("HSET", key("inflight"), entry.id, string.format("%s\nrepair\n%.0f\n%.0f\n%s", token, now, now, raw))
          redis.call("HSET", key("tokens"), token, entry.id)
          redis.call("ZADD", key("leases"), now, entry.id)
        end, "page %s is in processing, but nobody holds it", entry.id)
      else
        if not redis.call("ZSCORE", key("leases"), entry.id) then
          find(function() redis.call("ZADD", key("leases"), now, entry.id) end, "page %s is held without a lease", entry.id)
        end
        if redis.call("HGET", key("tokens"), claim.token) ~= entry.id then
          find(function() redis.call("HSET", key("tokens"), claim.token, entry.id) end, "the token of page %s is not known", entry.id)
        end
      end
      working[entry.id] = claim.token
      running[entry.lane] = (running[entry.lane] or 0) + 1
      lanes[entry.lane] = true
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

  -- Every lane counts what it has, and is in its one place.
  local there = {}
  for _, where in ipairs({ "ready", "snoozed" }) do
    local names = redis.call(where == "ready" and "LRANGE" or "ZRANGE", key(where), 0, -1)
    for _, name in ipairs(names) do
      there[name] = (there[name] and there[name] .. " and " or "") .. where
      lanes[name] = true
    end
  end
  for _, name in ipairs(redis.call("SMEMBERS", key("lanes"))) do lanes[name] = true end
  local damaged, queued = false, 0
  local function lane_wrong(...)
    damaged = true
    find(function() end, ...)
  end
  for name in pairs(lanes) do
    local lane = lane_of(name)
    local n, r = 0, running[name] or 0
    for band = 0, 2 do n = n + redis.call("LLEN", queue(name, band)) end
    queued = queued + n
    if lane.n ~= n then lane_wrong("lane '%s' counts %d pages queued, and has %d", name, lane.n, n) end
    if lane.r ~= r then lane_wrong("lane '%s' counts %d pages in flight, and has %d", name, lane.r, r) end
    if lane.sending ~= "" and not working[lane.sending] then lane_wrong("lane '%s' waits for a page that nobody holds", name) end
    local place_ = (lane.place == "ready" or lane.place == "snoozed") and lane.place or nil
    if there[name] ~= place_ then lane_wrong("lane '%s' is said to be %s, but is in %s", name, lane.place, there[name] or "no place") end
    if lane.place == "idle" and n > 0 then lane_wrong("lane '%s' is idle with %d pages queued", name, n) end
    if lane.place == "busy" and not full(crawl, lane) then lane_wrong("lane '%s' is busy below its cap", name) end
  end
  if damaged then
    wrong[#wrong][2] = function()
      redis.call("DEL", key("ready"), key("snoozed"))
      for name in pairs(lanes) do
        local lane = lane_of(name)
        local n = 0
        for band = 0, 2 do n = n + redis.call("LLEN", queue(name, band)) end
        change(lane, "n", n)
        change(lane, "r", running[name] or 0)
        if not working[lane.sending] then change(lane, "sending", "") end
        change(lane, "place", "idle")
        place(crawl, lane)
        store(lane)
      end
    end
  end

  -- The counts add up.
  local function set_count(name, value) return function() redis.call("HSET", key("counts"), name, value) end end
  if counted("queued") ~= queued then find(set_count("queued", queued), "%d pages are counted as queued, and there are %d", counted("queued"), queued) end
  for _, name in ipairs({ "done", "failed" }) do -- these lists may be drained, so that there may be fewer
    local there_ = redis.call("LLEN", key(name))
    if counted(name) < there_ then find(set_count(name, there_), "%d pages are counted as %s, and there are %d", counted(name), name, there_) end
  end
  local function total()
    local sum = queued + delayed() + processing()
    for _, name in ipairs({ "done", "failed" }) do sum = sum + math.max(counted(name), redis.call("LLEN", key(name))) end
    return sum
  end
  if counted("accepted") ~= total() then
    find(function() redis.call("HSET", key("counts"), "accepted", total()) end, "%d pages were accepted, and there are %d", counted("accepted"), total())
  end
  if counted("seen") < total() then -- what "accepted" is, or is mended to be
    find(function() redis.call("HSET", key("counts"), "seen", counted("accepted")) end,
      "%d URLs are counted as known, fewer than the %d pages that were accepted", counted("seen"), total())
  end
  return wrong
end
