#!lua
-- claim: hand out the next page, or say why there is none. The attempt is counted here, so that a
-- page that kills its worker is counted although no report comes. The same call, repeated because
-- its answer was lost, gives the same page again.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 token   random, of this claim
--          2 worker  name of the caller
--          3 ticket  the wake-up that is answered; "": the oldest one
--          4 rand    a random number in [0,1), for jitter
--          5 paced   "1": the lane serves no other run until this one has called sent
-- Uses     as fail, and tickets (zset)
-- With     core, memory, lanes, leave, revisits, wake
-- Returns  outcome, ms until another page is due (or ""), ended (1 for the call that ended the
--          crawl), version of the log-in; with a page also: entry, hard deadline in ms, 1 if this
--          run is to do before_all, 1 if its lane waits for sent, version of the entries' decision,
--          digest of the item that the page had before ("": it is new), with
--          "+" if this generation visited it before, 1 if it is to have a Chrome of its own
-- Cost     O(log n); at most 40 pages of a host that is given up
local token, worker, ticket, rand = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local crawl, refusal = load()
-- a late wake-up of a cleared crawl
if not crawl then return without(refusal, { "FINISHED", "", 0, 0 }) end

if ticket == "" then
  ticket = redis.call("ZRANGEBYSCORE", key("tickets"), "(" .. now, "+inf", "LIMIT", 0, 1)[1]
end
if ticket and redis.call("ZREM", key("tickets"), ticket) == 1 then arrived(ticket) end

local function page(id, entry_text, deadline, first, paced)
  return { "PAGE", next_due(crawl) or "", 0, crawl.login or 0, entry_text, deadline, first, paced,
    crawl.entries or 0, known_digest(crawl, id), redis.call("HEXISTS", key("alone"), id) }
end

local repeated = redis.call("HGET", key("tokens"), token)
local claim = repeated and held(repeated)
if claim then
  local first = crawl.before == "running:" .. claim.id .. ":" .. token and 1 or 0
  local sending = lane_of(parse(claim.raw).lane).sending == claim.id
  return page(claim.id, claim.raw, claim.deadline, first, sending and 1 or 0)
end

check_time(crawl)
local ended = over(crawl) and 1 or 0
local function no(outcome, wait) return { outcome, wait or "", ended, crawl.login or 0 } end
if crawl.status == "FINISHED" or crawl.status == "FAILED" then return no("FINISHED") end
if crawl.status == "STOPPED" or crawl.status == "STOPPING" then return no("STOPPED") end
if crawl.status == "PAUSED" then return no("PAUSED") end
if (crawl.held or 0) > now then return no("WAIT", crawl.held - now) end
if preparing(crawl) then return no("WAIT", 1000) end
if processing() >= crawl.concurrency_limit then return no("BUSY") end

-- A page waits while another one of its id is in flight: ids of a site's choice may clash.
local CLASH_WAIT = 1000
local function stand_back(entry)
  redis.call("ZADD", key("delayed"), now + CLASH_WAIT, text(entry))
  count("clashes")
end

-- Take the page: from here on it is this worker's. nil: it has to stand back.
local function take(lane, entry)
  local deadline = now + crawl.page_deadline
  entry.attempts = entry.attempts + 1
  local raw = text(entry)
  local value = claim_value(token, worker, deadline, raw)
  if redis.call("HSETNX", key("inflight"), entry.id, value) == 0 then
    entry.attempts = entry.attempts - 1
    stand_back(entry)
    return nil
  end
  if entry.attempts == 1 and count("started") == 1 and not crawl.begun then
    set(crawl, "begun", now)
  end
  redis.call("RPUSH", key("processing"), raw)
  redis.call("HSET", key("tokens"), token, entry.id)
  redis.call("ZADD", key("leases"), math.min(now + crawl.lease, deadline), entry.id)
  change(lane, "r", lane.r + 1)
  if delay_of(crawl, lane) > 0 then
    change(lane, "next", pace(crawl, lane, rand))
    if ARGV[5] == "1" then
      change(lane, "sending", entry.id)
      lane.paced = 1
    end
  end
  local first = crawl.before ~= "done"
  set(crawl, "last_claim", now)
  if first then set(crawl, "before", "running:" .. entry.id .. ":" .. token) end
  if crawl.ticket_life then redis.call("HDEL", key("meta"), "ticket_life") end
  if entry.attempts == 1 then check_pages(crawl) end
  return raw, deadline, first and 1 or 0, lane.paced or 0
end

promote(crawl)
come_again(crawl)
local tries = 0
if crawl.status == "DRAINING" then
  for _, raw in ipairs(first_due("delayed")) do
    local entry = parse(raw)
    local lane = lane_of(entry and entry.lane or "")
    redis.call("ZREM", key("delayed"), raw)
    if not identify(entry) then
      bury(crawl, nil, raw, "terminal", "corrupt")
    elseif due(lane) > now or full(crawl, lane) then
      redis.call("ZADD", key("delayed"), math.max(due(lane), now + 1000), raw)
    else
      local taken, deadline, first, paced = take(lane, entry)
      place(crawl, lane)
      store(lane)
      if taken then return page(entry.id, taken, deadline, first, paced) end
    end
  end
else
  local space = room(crawl) > 0
  while space and tries < SWEEP do
    local name = redis.call("LPOP", key("ready"))
    if not name then break end
    tries = tries + 1
    local lane = lane_of(name)
    local taken, deadline, first, paced, id
    if lane.n > 0 and due(lane) <= now and not full(crawl, lane) then
      local hopeless = dead(crawl, lane) and now - lane.failed_at <= QUIET
      for _ = 1, hopeless and 40 or SWEEP do
        local raw = redis.call("LPOP", queue(name, 0)) or redis.call("LPOP", queue(name, 1))
          or redis.call("LPOP", queue(name, 2))
        if not raw then
          change(lane, "n", 0)
          break
        end
        count("queued", -1)
        change(lane, "n", lane.n - 1)
        local entry = parse(raw)
        if not identify(entry) then
          bury(crawl, nil, raw, "terminal", "corrupt")
        elseif hopeless then
          bury(crawl, entry, nil, "retry", "breaker", 0)
          remember_failure(crawl, entry, "retry", "breaker", 0)
        else
          taken, deadline, first, paced = take(lane, entry)
          id = entry.id
          if taken then break end
        end
      end
    end
    place(crawl, lane, true)
    store(lane)
    if taken then return page(id, taken, deadline, first, paced) end
  end
end

check_pages(crawl)
if over(crawl) then
  ended = 1
  return no(crawl.status == "STOPPED" and "STOPPED" or "FINISHED")
end
-- lanes that could not be served were in the way; there may be more
if tries == SWEEP then return no("WAIT", 1) end
local wait = next_due(crawl)
if wait then return no("WAIT", wait) end
-- every lane is at its cap, or the pages in flight use up the page limit
if crawl.status == "ACTIVE" and counted("queued") > 0 then return no("BUSY") end
return no("EMPTY")
