-- repair: faults that a crawl's keys may have, each with its remedy. The lists (queued,
-- processing, done, failed) and `delayed` are true; everything else is derived from them. A
-- library; needs core, lanes and leave.

local AT_ONCE = 500 -- lanes that one call examines
local HELD_AT_ONCE = 1000 -- pages in flight, and deliveries

local wrong, mending = {}, false

-- Note a fault, and mend it if the script repairs.
local function find(mend, sentence, ...)
  wrong[#wrong + 1] = string.format(sentence, ...)
  if mending then mend() end
end

-- A remedy: one command on one key of the crawl.
local function command(name, key_name, ...)
  local args = { ... }
  return function() redis.call(name, key(key_name), unpack(args)) end
end

-- An entry in `processing` has one claim, one token and one lease. Returns the claim's token.
local function examine_claim(id, raw)
  local claim = held(id)
  if not claim or claim.raw ~= raw then
    local token = "repaired-" .. id
    find(function()
      redis.call("HSET", key("inflight"), id, claim_value(token, "repair", now, raw))
      redis.call("HSET", key("tokens"), token, id)
      redis.call("ZADD", key("leases"), now, id)
    end, "page %s is in processing, but no worker holds it", id)
    return token
  end
  if not redis.call("ZSCORE", key("leases"), id) then
    find(command("ZADD", "leases", now, id), "page %s is held without a lease", id)
  end
  if redis.call("HGET", key("tokens"), claim.token) ~= id then
    find(command("HSET", "tokens", claim.token, id), "the token of page %s is not known", id)
  end
  return claim.token
end

-- Only entries in `processing` have claims, tokens and leases: `listed` are ids, or for tokens,
-- tokens and ids in turn. `working`: id -> token.
local LEFTOVERS = {
  inflight = { "HDEL", "page %s is held, but not in processing" },
  leases = { "ZREM", "page %s has a lease, but is not in processing" },
}
local function examine_leftovers(where, listed, working)
  if where == "tokens" then
    for i = 1, #listed, 2 do
      local token, id = listed[i], listed[i + 1]
      if working[id] ~= token then
        find(command("HDEL", "tokens", token), "a token of page %s is left over", id)
      end
    end
    return
  end
  local remove, sentence = unpack(LEFTOVERS[where])
  for _, id in ipairs(listed) do
    if not working[id] then find(command(remove, where, id), sentence, id) end
  end
end

-- Examine the claim of an entry in `processing`. `working`: id -> token of those examined before.
local function examine_page(crawl, raw, working)
  local id = identify(parse(raw))
  if not id then
    find(function()
      redis.call("LREM", key("processing"), 1, raw)
      bury(crawl, nil, raw, "terminal", "corrupt")
    end, "an entry in processing cannot be read: %s", string.sub(raw, 1, 1000))
  elseif working[id] then
    find(command("LREM", "processing", 1, raw), "page %s is in processing twice", id)
  else
    working[id] = examine_claim(id, raw)
  end
end

-- Examine the claims of all entries in `processing`.
local function examine_pages(crawl)
  local working = {}
  for _, raw in ipairs(redis.call("LRANGE", key("processing"), 0, -1)) do
    examine_page(crawl, raw, working)
  end
  examine_leftovers("inflight", redis.call("HKEYS", key("inflight")), working)
  examine_leftovers("leases", redis.call("ZRANGE", key("leases"), 0, -1), working)
  examine_leftovers("tokens", redis.call("HGETALL", key("tokens")), working)
end

-- The number of pages in the queues of a lane.
local function queue_length(name)
  local n = 0
  for priority = 0, 2 do n = n + redis.call("LLEN", queue(name, priority)) end
  return n
end

-- Whether a lane waits for a page that no worker holds.
local function waits_in_vain(lane)
  return lane.sending ~= "" and redis.call("HEXISTS", key("inflight"), lane.sending) == 0
end

-- Every lane counts what it has, and is in its one place. `listed`: "ready", "snoozed" or "", by
-- the list and the zset that hold it; `running`: pages in flight. `replace_lane` mends what is
-- wrong, for all lanes. Returns the number of pages queued.
local function examine_lane(crawl, name, listed, running)
  local lane, n = lane_of(name), queue_length(name)
  local function note(...) find(function() end, ...) end
  if lane.n ~= n then note("lane '%s' counts %d pages queued, and has %d", name, lane.n, n) end
  if lane.r ~= running then
    note("lane '%s' counts %d pages in flight, and has %d", name, lane.r, running)
  end
  if waits_in_vain(lane) then note("lane '%s' waits for a page that no worker holds", name) end
  local expected = (lane.place == "ready" or lane.place == "snoozed") and lane.place or ""
  if listed ~= expected then
    local where = listed ~= "" and listed or "no place"
    note("lane '%s' is said to be %s, but is in %s", name, lane.place, where)
  end
  if lane.place == "idle" and n > 0 then note("lane '%s' is idle with %d pages queued", name, n) end
  if lane.place == "busy" and not full(crawl, lane) then
    note("lane '%s' is busy below its cap", name)
  end
  return n
end

local function clear_places() redis.call("UNLINK", key("ready"), key("snoozed")) end

-- Put a lane in its place, after `clear_places`.
local function replace_lane(crawl, name, running)
  local lane = lane_of(name)
  change(lane, "n", queue_length(name))
  change(lane, "r", running)
  if waits_in_vain(lane) then change(lane, "sending", "") end
  change(lane, "place", "idle")
  place(crawl, lane)
  store(lane)
end

-- The counts add up; `queued` pages wait in the lists.
local function examine_counts(queued)
  local function expect(name, number, sentence, ...)
    find(command("HSET", "counts", name, number), sentence, ...)
  end
  local n = counted("queued")
  if n ~= queued then
    expect("queued", queued, "%d pages are counted as queued, and there are %d", n, queued)
  end
  local sum = queued + delayed() + processing()
  -- these lists may be drained: then they hold fewer pages than are counted
  for _, name in ipairs({ "done", "failed" }) do
    local listed = redis.call("LLEN", key(name))
    n = counted(name)
    if n < listed then
      expect(name, listed, "%d pages are counted as %s, and there are %d", n, name, listed)
    end
    sum = sum + math.max(n, listed)
  end
  n = counted("accepted")
  if n ~= sum then expect("accepted", sum, "%d pages were accepted, and there are %d", n, sum) end
  n = counted("seen")
  local urls = sum - counted("again") -- pages that were queued again are one URL each
  if n < urls then
    local sentence = "%d URLs are counted as known, fewer than the %d pages that were accepted"
    expect("seen", urls, sentence, n, urls)
  end
end

-- Each of these is in the hash `hash` exactly if it has a time in the sorted set `times`. The
-- sentences are for one that is `never` due, and for one that is `absent`.
local function examine_times(names, hash, times, never, absent)
  for _, name in ipairs(names) do
    local there = redis.call("HEXISTS", key(hash), name) == 1
    local is_due = redis.call("ZSCORE", key(times), name)
    if there and not is_due then
      find(command("ZADD", times, now, name), never, name)
    elseif is_due and not there then
      find(command("ZREM", times, name), absent, name)
    end
  end
end

-- Each delivery is due at some time.
local function examine_deliveries(names)
  examine_times(names, "outbox", "outbox_due", "the delivery %s is never due",
    "the delivery %s is due, but not there")
end

-- Each page that is to be visited again has its time.
local function examine_revisits(ids)
  examine_times(ids, "revisit_pages", "revisits", "page %s is to be visited again, but never",
    "page %s is due again, but not there")
end

-- The buckets with these names hold so many pages as are counted; the caller sums them up.
local function examine_memory(names)
  local pages = 0
  for _, name in ipairs(names) do pages = pages + redis.call("HLEN", key(name)) end
  return pages
end

local function examine_memory_count(pages)
  local n = tonumber(redis.call("HGET", key("memory"), "pages") or 0)
  if n ~= pages then
    find(command("HSET", "memory", "pages", pages),
      "%d pages are counted as remembered, and there are %d", n, pages)
  end
  local known = tonumber(redis.call("HGET", key("memory"), "known") or 0)
  local met = counted("met")
  if met > known then
    find(command("HSET", "counts", "met", known),
      "%d pages of those that were known are counted as met, and %d were known", met, known)
  end
end

local function examine_undelivered()
  local n, listed = counted("undelivered"), redis.call("LLEN", key("undelivered"))
  if n ~= listed then
    find(command("HSET", "counts", "undelivered", listed),
      "%d dead letters of hooks are counted, and there are %d", n, listed)
  end
end

-- By lane: where its list and its zset say that it is, and its number of pages in flight.
local function lanes_of_crawl()
  local places, running = {}, {}
  for _, name in ipairs(redis.call("SMEMBERS", key("lanes"))) do places[name] = "" end
  for _, raw in ipairs(redis.call("LRANGE", key("processing"), 0, -1)) do
    local entry = parse(raw)
    if entry then
      running[entry.lane] = (running[entry.lane] or 0) + 1
      places[entry.lane] = places[entry.lane] or ""
    end
  end
  local function add(where, names)
    for _, name in ipairs(names) do
      local other = places[name] or ""
      places[name] = (other ~= "" and other .. " and " or "") .. where
    end
  end
  add("ready", redis.call("LRANGE", key("ready"), 0, -1))
  add("snoozed", redis.call("ZRANGE", key("snoozed"), 0, -1))
  return places, running
end

-- Whether one call can examine all of it.
local function is_small()
  for _, name in ipairs({ "lanes", "ready", "snoozed" }) do
    local size = ({ lanes = "SCARD", ready = "LLEN", snoozed = "ZCARD" })[name]
    if redis.call(size, key(name)) > AT_ONCE then return false end
  end
  local claims = math.max(processing(), redis.call("HLEN", key("inflight")),
    redis.call("HLEN", key("tokens")), redis.call("ZCARD", key("leases")))
  local deliveries =
    math.max(redis.call("HLEN", key("outbox")), redis.call("ZCARD", key("outbox_due")))
  local revisits =
    math.max(redis.call("HLEN", key("revisit_pages")), redis.call("ZCARD", key("revisits")))
  local splits = tonumber(redis.call("HGET", key("memory"), "splits") or 0)
  return math.max(claims, deliveries, revisits) <= HELD_AT_ONCE and splits <= AT_ONCE
end

-- All of it, in one step; "LARGE" if that would take too long: then the caller closes the crawl and
-- goes through it in steps.
local function examine_all(crawl)
  if crawl.turning == 1 then return wrong end -- its keys are being deleted: see turn
  if not is_small() then return "LARGE" end
  examine_pages(crawl)
  local faults_before, queued = #wrong, 0
  local places, running = lanes_of_crawl()
  for name, where in pairs(places) do
    queued = queued + examine_lane(crawl, name, where, running[name] or 0)
  end
  if mending and #wrong > faults_before then
    clear_places()
    for name in pairs(places) do replace_lane(crawl, name, running[name] or 0) end
  end
  examine_counts(queued)
  examine_deliveries(redis.call("HKEYS", key("outbox")))
  examine_deliveries(redis.call("ZRANGE", key("outbox_due"), 0, -1))
  examine_undelivered()
  examine_revisits(redis.call("HKEYS", key("revisit_pages")))
  examine_revisits(redis.call("ZRANGE", key("revisits"), 0, -1))
  local buckets = {}
  for i = 0, 31 + tonumber(redis.call("HGET", key("memory"), "splits") or 0) do
    buckets[#buckets + 1] = "memory:" .. i
  end
  examine_memory_count(examine_memory(buckets))
  return wrong
end

-- The work of the scripts audit and repair, by the step that is asked for.
local function examine(crawl)
  local step = ARGV[1]
  if step == "all" then return examine_all(crawl) end
  if step == "claims" then -- of entries; `known` by the caller are those that came twice
    local ids = {}
    for i = 2, #ARGV do
      local working = {}
      examine_page(crawl, ARGV[i], working)
      local id, token = next(working)
      ids[#ids + 1] = id or ""
      ids[#ids + 1] = token or ""
    end
    return { ids, wrong }
  end
  if step == "twice" then
    for i = 2, #ARGV, 2 do
      local id, raw = ARGV[i], ARGV[i + 1]
      find(command("LREM", "processing", 1, raw), "page %s is in processing twice", id)
    end
  end
  -- what the caller found in these keys, and not among the pages in `processing`
  if step == "inflight" or step == "leases" or step == "tokens" then
    examine_leftovers(step, { unpack(ARGV, 2) }, {})
  end
  if step == "revisits" then examine_revisits({ unpack(ARGV, 2) }) end
  if step == "memory" then return { examine_memory({ unpack(ARGV, 2) }) } end
  if step == "remembered" then examine_memory_count(tonumber(ARGV[2])) end
  if step == "deliveries" then examine_deliveries({ unpack(ARGV, 2) }) end
  if step == "counts" then
    examine_counts(tonumber(ARGV[2]))
    examine_undelivered()
  end
  if step == "lanes" then
    local queued = 0
    for i = 2, #ARGV, 3 do
      queued = queued + examine_lane(crawl, ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]))
    end
    return { queued, unpack(wrong) }
  end
  if step == "clear" then clear_places() end
  if step == "replace" then
    for i = 2, #ARGV, 3 do replace_lane(crawl, ARGV[i], tonumber(ARGV[i + 2])) end
  end
  return wrong
end
