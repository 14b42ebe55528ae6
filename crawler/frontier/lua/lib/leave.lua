-- leave: ways of a page out of `processing`, done or failed. A library; needs core, memory
-- and lanes.

local ACK_LIFE = 600000 -- a finish whose answer was lost may be repeated for ten minutes
local BEFORE_TRIES = 3
local INFRA_HOLD, INFRA_HOLD_MAX = 1000, 60000
local HOLD_GAP = 30000 -- holds that follow each other within it are one
-- A page over which the endpoint breaks off more often, each time within an hour (s) of the last,
-- is taken for the cause.
local OUTAGES, OUTAGES_LIFE = 3, 3600
-- Seconds for which it is known, after the last of them, which pages a shared Chrome died with.
local ALONE_LIFE = 3600

-- The claim of page `id`: token, worker, hard deadline, when it was claimed, entry bytes. nil if
-- it has no claim, or one that cannot be read.
local function held(id)
  local value = redis.call("HGET", key("inflight"), id)
  if not value then return nil end
  local token, worker, deadline, claimed, raw =
    string.match(value, "^([^\n]*)\n([^\n]*)\n(%d+)\n(%d+)\n(.*)$")
  if not raw then return nil end
  return {
    id = id, token = token, worker = worker, deadline = tonumber(deadline),
    claimed = tonumber(claimed), raw = raw,
  }
end

-- The value of a claim in `inflight`, made now, or at `claimed`.
local function claim_value(token, worker, deadline, raw, claimed)
  return string.format("%s\n%s\n%.0f\n%.0f\n%s", token, worker, deadline, claimed or now, raw)
end

-- The claim that `id` and `token` prove, or nil and "REPEATED" (this very report was accepted
-- before) or "STALE".
local function proven(id, token)
  local claim = held(id)
  if claim and claim.token == token then return claim end
  if redis.call("ZSCORE", key("acks"), id .. ":" .. token) then return nil, "REPEATED" end
  count("stale")
  return nil, "STALE"
end

-- Remember that this report was accepted, and forget a few that are too old to be repeated.
local function acknowledge(claim)
  local old = redis.call("ZRANGEBYSCORE", key("acks"), "-inf", now - ACK_LIFE, "LIMIT", 0, 4)
  if #old > 0 then redis.call("ZREM", key("acks"), unpack(old)) end
  redis.call("ZADD", key("acks"), now, claim.id .. ":" .. claim.token)
end

-- Take the page out of `processing`; returns its lane, not yet placed nor stored.
local function leave(claim, entry)
  redis.call("LREM", key("processing"), 1, claim.raw)
  redis.call("HDEL", key("inflight"), claim.id)
  redis.call("HDEL", key("tokens"), claim.token)
  redis.call("ZREM", key("leases"), claim.id)
  redis.call("HDEL", key("steps"), claim.id)
  local lane = lane_of(entry and entry.lane or "")
  change(lane, "r", math.max(0, lane.r - 1))
  if lane.sending == claim.id then change(lane, "sending", "") end
  return lane
end

-- Back to the head of its lane with its attempt forgiven, as if it had not been claimed.
local function give_back(crawl, lane, entry, at)
  entry.attempts = entry.attempts - 1
  if entry.attempts <= 0 then
    entry.attempts = 0
    count("started", -1)
  end
  count("released")
  if draining(crawl) then
    redis.call("ZADD", key("delayed"), at, text(entry))
  else
    requeue(lane, entry)
  end
end

-- No claim before `wait` ms from now, for `reason`.
local function hold(crawl, wait, reason)
  local before = crawl.held or 0
  if wait <= 0 or now + wait <= before then return end
  if now - before > HOLD_GAP then set(crawl, "held_since", now) end
  set(crawl, "held", now + wait, "held_reason", reason)
end

-- How often a page may be tried that fails by `class`.
local function attempts_of(crawl, class)
  return class == "hook" and crawl.hook_attempts or crawl.attempts
end

-- A form that was sent, perhaps, is not sent again.
local function bury_sent(crawl, entry, class, reason, status)
  bury(crawl, entry, nil, "terminal", string.sub("form_sent: " .. reason, 1, 400), status)
  remember_failure(crawl, entry, class, reason, status)
end

-- The effect of a page's failure, by its class. `wait` (ms) is a Retry-After, what a hook asks for, or nil; `rand`, in
-- [0,1), spreads the back-off.
-- Returns ms until the page is tried again, or nil if it is among the failed now.
local function fail(crawl, claim, class, reason, status, wait, rand)
  local entry = parse(claim.raw)
  local lane = leave(claim, entry)
  local retry
  if class == "away" then
    local outages = redis.call("HINCRBY", key("outages"), claim.id, 1)
    redis.call("EXPIRE", key("outages"), OUTAGES_LIFE)
    class = outages > OUTAGES and "crash" or "infra"
  end
  if class == "shared" then
    redis.call("HSET", key("alone"), claim.id, 1)
    redis.call("EXPIRE", key("alone"), ALONE_LIFE)
  end
  attempted(status, class, reason)
  local word, why = decided(class, reason)
  if word then count_decision(word, why, url_of(entry)) end
  if not entry then
    bury(crawl, nil, claim.raw, "terminal", "corrupt")
  elseif class == "infra" or class == "shared" then
    if class == "shared" then
      wait = 0
    elseif not wait then
      local streak = math.min(16, crawl.infra or 0)
      set(crawl, "infra", streak + 1)
      wait = math.min(INFRA_HOLD_MAX, INFRA_HOLD * 2 ^ streak)
    end
    hold(crawl, wait, reason)
    if entry.sent then
      bury_sent(crawl, entry, class, reason, status)
    else
      give_back(crawl, lane, entry, now + wait)
      retry = wait
    end
  else
    if class == "crash" then
      entry.strikes = entry.strikes + 1
      entry.priority = 2
      count("crashed")
    end
    if class == "retry" then
      blame(crawl, lane)
    elseif status > 0 and class == "terminal" then
      forgive(lane)
    end
    local doubled = crawl.backoff * 2 ^ math.min(30, entry.attempts - 1)
    local backoff = math.min(crawl.backoff_cap, doubled)
    if wait then wait = math.min(wait, crawl.retry_after_cap) end
    if class == "throttle" then
      wait = math.floor(wait or math.min(crawl.retry_after_cap, backoff))
      change(lane, "blocked", math.max(lane.blocked, now + wait))
      count("throttled")
    end

    local final = class == "terminal" or class == "hook"
    if entry.sent and not final then
      bury_sent(crawl, entry, class, reason, status)
    elseif class == "crash" and entry.strikes >= crawl.crash_strikes then
      bury(crawl, entry, nil, class, "poison", status)
      remember_failure(crawl, entry, class, "poison", status)
    elseif entry.sent or class == "terminal" or entry.attempts >= attempts_of(crawl, class) then
      bury(crawl, entry, nil, class, reason, status)
      remember_failure(crawl, entry, class, reason, status)
    elseif class == "throttle" then
      if draining(crawl) then
        redis.call("ZADD", key("delayed"), lane.blocked, text(entry))
      else
        requeue(lane, entry)
      end
      count("retried")
      retry = lane.blocked - now
    else
      retry = math.max(1, wait or math.floor(backoff * rand))
      redis.call("ZADD", key("delayed"), now + retry, text(entry))
      count("retried")
    end
  end
  place(crawl, lane)
  store(lane)
  return retry
end

-- Treat pages whose lease ran out as crashed: at most `limit`, and never more than a tenth of those
-- in flight (or ten), so that a jump of the clock cannot take everything. Returns their number.
local function reap(crawl, limit, rand)
  limit = math.min(limit, math.max(10, math.floor(redis.call("ZCARD", key("leases")) / 10)))
  local reaped = 0
  -- Later than any lease may end: Redis's clock went back, or something wrote them. Who lives
  -- renews them.
  local latest = now + math.max(crawl.lease, crawl.page_deadline) + 1000
  local far = redis.call("ZRANGEBYSCORE", key("leases"), latest, "+inf", "LIMIT", 0, limit)
  for _, id in ipairs(far) do redis.call("ZADD", key("leases"), now + crawl.lease, id) end
  for i, id in ipairs(redis.call("ZRANGEBYSCORE", key("leases"), "-inf", now, "LIMIT", 0, limit)) do
    local claim = held(id)
    if claim then
      fail(crawl, claim, "crash", "lost", 0, nil, (rand + i * 0.618) % 1)
      count("reaped")
      reaped = reaped + 1
    else
      redis.call("ZREM", key("leases"), id)
    end
  end
  if reaped > 0 then check_pages(crawl) end
  return reaped
end
