-- core: the base of every script: the clock, a crawl's fields and counts, and the test of its end.
-- A library: its text is put before the scripts that name it on their line "With". Only KEYS[1],
-- the crawl's prefix, is read here. Times are milliseconds since the epoch by Redis's own clock;
-- durations are milliseconds too.

local prefix = KEYS[1]
local SCHEMA = "3"
local now
local inside = false -- set by scripts that may look into a closed crawl

-- The fields of `meta` that are text; all others are numbers.
local TEXT = {
  version = true, status = true, reason = true, paused_from = true, end_as = true, before = true,
  page_limit_counts = true, last_failure = true, closed_by = true, held_reason = true,
  paused_by = true,
}

-- The fields of a plan that every crawl has. One whose `meta` lost some still goes on, and ends.
local DEFAULTS = {
  concurrency_limit = 4, delay = 0, attempts = 3, crash_strikes = 2, backoff = 5000,
  backoff_cap = 600000, retry_after_cap = 3600000, breaker_failures = 10, breaker_snooze = 60000,
  breaker_trips = 5, lease = 60000, page_deadline = 180000, results_limit = 100000,
  page_limit_counts = "started", hook_attempts = 1,
}
-- ms for which a crawl may be closed at most; beyond, its field is wrong
local CLOSED_MAX = 600000

local RUNNING = { ACTIVE = true, DRAINING = true, STOPPING = true }
local ENDED = { FINISHED = true, STOPPED = true, FAILED = true }

local function key(name) return prefix .. name end

-- While a Redis Cluster moves a slot key by key, scripts are sent to its new node, which holds only
-- some of the keys. There a command on several keys is an error if one of them is missing, and the
-- second one always is: so nothing is done on half a crawl.
redis.call("EXISTS", key("meta"), key("moving"))

-- A field of the crawl, read from `meta` when it is first asked for; false if it is empty.
local LAZY = {
  __index = function(crawl, name)
    local value = redis.call("HGET", key("meta"), name)
    if value and not TEXT[name] then value = tonumber(value) end
    value = value or DEFAULTS[name] or false
    crawl[name] = value
    return value
  end,
}

-- The crawl's fields, or nil and the error to return. Sets `now`: the field `clock` stands in for
-- TIME, and only tests write it.
local function load()
  local values = redis.call("HMGET", key("meta"), "version", "status", "clock", "closed")
  if not values[1] then
    return nil, redis.error_reply("MISSING no crawl of this name is in this Redis")
  end
  if values[1] ~= SCHEMA then
    local why = "the crawl was written with schema " .. values[1]
    return nil, redis.error_reply("MISFIT " .. why .. ", this version reads " .. SCHEMA)
  end
  if values[3] then
    now = tonumber(values[3])
  else
    local time = redis.call("TIME")
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  local closed = tonumber(values[4] or 0) or 0
  if closed > now and closed < now + CLOSED_MAX and not inside then
    return nil, redis.error_reply("CLOSED the crawl is being audited or repaired")
  end
  return setmetatable({ status = values[2] }, LAZY)
end

-- The reply of a script without a crawl: `answer` if no such crawl exists, or no longer; else the
-- error.
local function without(refusal, answer)
  return string.find(refusal.err, "MISSING", 1, true) and answer or refusal
end

local function set(crawl, ...)
  local pairs_ = { ... }
  for i = 1, #pairs_, 2 do crawl[pairs_[i]] = pairs_[i + 1] end
  redis.call("HSET", key("meta"), unpack(pairs_))
end

local function count(name, by) return redis.call("HINCRBY", key("counts"), name, by or 1) end

local function counted(name) return tonumber(redis.call("HGET", key("counts"), name) or 0) or 0 end

-- Pages that are done, or failed, are counted by version, in `counts`: "version:VERSION:done".
-- So many versions have counts of their own.
local VERSIONS_MAX = 50

local function count_version(what, version)
  if not version or version == "" then return end
  local name = "version:" .. version .. ":" .. what
  if redis.call("HEXISTS", key("counts"), name) == 0 and count("versions") > VERSIONS_MAX then
    name = "version:other:" .. what
  end
  count(name)
end

-- Pages that are done, or failed, are counted by the route that they took, and the ms that their
-- runs took: "route:ROUTE:done". So many routes, over all versions, have counts of their own.
local ROUTES_MAX = 200

local function count_route(what, route, ms)
  if not route or route == "" then return end
  local name = "route:" .. route .. ":"
  if redis.call("HEXISTS", key("counts"), name .. "ms") == 0 and count("routes") > ROUTES_MAX then
    name = "route:other:"
  end
  count(name .. what)
  count(name .. "ms", ms)
end

-- What hooks and conditions decide about pages is counted, each time, in `counts`:
-- "decision:blocked:captcha". So many have counts of their own.
local DECISIONS_MAX = 100

local function count_decision(word, reason, url)
  local name = "decision:" .. word .. ":" .. reason
  if redis.call("HEXISTS", key("counts"), name) == 0 and count("decisions") > DECISIONS_MAX then
    name = "decision:" .. word .. ":other"
  end
  count(name)
  redis.call("HSETNX", key("examples"), name, url)
end

-- Sums for metrics, which only go up; see run/timings.py for their names. Reasons may come from
-- sites and hooks: their number is bounded.
local TALLIES_MAX = 500

local function tally(name, by) redis.call("HINCRBY", key("tallies"), name, by or 1) end

-- An attempt at a page is over: count it by class of status and by reason, if that is one of our
-- words (an advice may follow it), else by class of failure.
local function attempted(status, class, reason)
  reason = string.match(reason, "^(redirect_%w+): ") or reason
  if #reason > 40 or not string.match(reason, "^[%w_]+$") then reason = class end
  status = status >= 100 and status < 600 and math.floor(status / 100) .. "xx" or "none"
  local name = "attempt:" .. status .. ":" .. reason
  local known = redis.call("HEXISTS", key("tallies"), name) == 1
  if not known and redis.call("HLEN", key("tallies")) >= TALLIES_MAX then
    name = "attempt:" .. status .. ":other"
  end
  tally(name)
end

local function processing() return redis.call("LLEN", key("processing")) end

local function delayed() return redis.call("ZCARD", key("delayed")) end

-- An active crawl's milliseconds so far, pauses excluded.
local function active(crawl)
  local ms = crawl.active_ms or 0
  if RUNNING[crawl.status] then ms = ms + now - (crawl.active_since or now) end
  return ms
end

-- Change the status, keep account of the active time, and note the end.
local function become(crawl, status, reason)
  local ms = active(crawl)
  if RUNNING[status] and not RUNNING[crawl.status] then
    set(crawl, "active_since", now, "last_done", now)
  end
  if RUNNING[crawl.status] and not RUNNING[status] then set(crawl, "active_ms", ms) end
  if ENDED[status] then
    set(crawl, "ended", now, "end_hook_asked", now, "end_hook_asks", 0, "end_hook_done", 0)
  elseif ENDED[crawl.status] then
    redis.call("HDEL", key("meta"), "ended")
  end
  set(crawl, "status", status, "reason", reason or "")
end

-- Whether the crawl drains: no new page is begun, pages that were begun may still be retried.
local function draining(crawl)
  local status = crawl.status == "PAUSED" and crawl.paused_from or crawl.status
  return status == "DRAINING"
end

-- A client's call ended the crawl, and no run knows that: the next tick asks for the hook.
local function ended_by_client(crawl) set(crawl, "end_hook_asked", 0) end

-- The end test. True for the one call that ended the crawl: nothing waits, nothing is in flight,
-- no producer adds seeds, and no page is to be visited again.
local function over(crawl)
  local status = crawl.status
  if status ~= "ACTIVE" and status ~= "DRAINING" and status ~= "STOPPING" then return false end
  if processing() > 0 or redis.call("HLEN", key("outbox")) > 0 then return false end
  if status == "STOPPING" then
    become(crawl, crawl.end_as or "STOPPED", crawl.reason)
    return true
  end
  if delayed() > 0 then return false end
  local queued = counted("queued")
  if status == "ACTIVE" and (queued > 0 or redis.call("ZCARD", key("producers")) > 0
    or redis.call("ZCARD", key("revisits")) > 0) then
    return false
  end
  if counted("done") > 0 then
    -- a limit that cut nothing off is no reason
    become(crawl, "FINISHED", queued > 0 and crawl.reason or "")
  else
    local last = crawl.last_failure
    local why = last and last ~= "" and " (last failure: " .. last .. ")" or ""
    become(crawl, "FAILED", "no page was done" .. why)
  end
  return true
end

local function seconds(ms) return string.format("%g s", ms / 1000) end

-- Limits that pass with time: they stop the crawl, its queue kept for a resume with a higher limit.
local function check_time(crawl)
  if crawl.status ~= "ACTIVE" and crawl.status ~= "DRAINING" then return end
  -- every page is done, and only hooks are waited for
  local pages = counted("queued") + delayed() + processing()
  if pages == 0 and redis.call("HLEN", key("outbox")) > 0 then return end
  if crawl.time_limit and active(crawl) >= crawl.time_limit then
    become(crawl, "STOPPING", "time limit " .. seconds(crawl.time_limit) .. " reached")
  elseif crawl.idle_limit
    and now - (crawl.last_done or crawl.active_since or now) >= crawl.idle_limit then
    become(crawl, "STOPPING", "idle limit " .. seconds(crawl.idle_limit) .. " reached")
  end
end

-- Limits on pages: they drain the crawl, and are measured when a page was begun, done or failed. An
-- error limit stops it.
local function check_pages(crawl)
  if crawl.status ~= "ACTIVE" and crawl.status ~= "DRAINING" then return end
  if crawl.error_limit and counted("failed") >= crawl.error_limit then
    return become(crawl, "STOPPING", "error limit " .. crawl.error_limit .. " reached")
  end
  if crawl.status == "DRAINING" then return end
  if crawl.page_limit and counted(crawl.page_limit_counts) >= crawl.page_limit then
    become(crawl, "DRAINING", "page limit " .. crawl.page_limit .. " reached")
  elseif crawl.item_limit and counted("items") >= crawl.item_limit then
    become(crawl, "DRAINING", "item limit " .. crawl.item_limit .. " reached")
  end
end

-- How many pages may still be begun under a page limit; huge without one. A limit on done pages
-- counts those under way, too.
local function room(crawl)
  if not crawl.page_limit then return math.huge end
  local spent = counted(crawl.page_limit_counts)
  if crawl.page_limit_counts == "done" then spent = spent + processing() + delayed() end
  return crawl.page_limit - spent
end

-- An entry is [version,attempts,strikes,priority,depth,"lane","parent","key","url"], and an object of
-- what the link brought along, if it brought anything, and a 1 if it is a form that was sent; see
-- frontier/entries.py. Scripts change its head as text, and that 1, and never decode and encode the
-- whole, which cjson would not give back byte for byte. nil if `raw` is no entry.
local SENT = ",1]"

local function parse(raw)
  local attempts, strikes, priority, depth, lane, rest =
    string.match(raw, '^%[2,(%d+),(%d+),([012]),(%d+),"([%w_.-]*)"(,"%x*",".+%])$')
  if not rest then return nil end
  return {
    attempts = tonumber(attempts), strikes = tonumber(strikes), priority = tonumber(priority),
    depth = tonumber(depth), lane = lane, rest = rest, sent = string.sub(rest, -4) == "}" .. SENT,
  }
end

-- The id of an entry's page, as Python's `page_id` makes it of the canonical URL; nil if it is no
-- entry.
local function identify(entry)
  local ok, fields = pcall(cjson.decode, entry and "[0" .. entry.rest)
  local url = ok and fields[3] ~= "" and fields[3] or ok and fields[4]
  if type(url) ~= "string" then return nil end
  if fields[5] ~= nil and type(fields[5]) ~= "table" then return nil end
  entry.id = string.sub(redis.sha1hex(url), 1, 32)
  return entry.id
end

-- The URL of an entry for an example: "" if it cannot be read, its first 300 bytes.
local function url_of(entry)
  local ok, fields = pcall(cjson.decode, entry and "[0" .. entry.rest)
  return ok and string.sub(fields[4], 1, 300) or ""
end

-- The error for a crawl that is between two generations, in which it can only be begun again; nil: it
-- is in one.
local function between(crawl)
  if crawl.turning ~= 1 then return nil end
  return redis.error_reply("REFUSED another generation of the crawl was about to begin, and its"
    .. " process died: begin it with recrawl")
end

local function text(entry)
  return string.format('[2,%d,%d,%d,%d,"%s"%s', entry.attempts, entry.strikes, entry.priority,
    entry.depth, entry.lane, entry.rest)
end

-- Promise that a hook gets `handed`, JSON, for the page of `entry`: see lib/outbox. `worker` makes
-- the first attempt itself ("": the tick does).
local function promise(crawl, name, worker, entry, handed)
  local attempts, due = 0, now
  if worker ~= "" then attempts, due = 1, now + crawl.lease end
  local delivery = table.concat({ attempts, worker, '""', entry, handed }, "\n")
  redis.call("HSET", key("outbox"), name, delivery)
  redis.call("ZADD", key("outbox_due"), due, name)
end

-- Failed pages are counted by kind, for their reasons are chosen by sites and hooks: a word of ours
-- (an advice may follow it), `http_STATUS`, the step and the type of an error ("extract:
-- ValueError"), or the decision of a hook ("retry: half loaded"); as frontier/kinds.py. A crawl counts so many kinds; the others are "other", those of
-- errors "STEP: other".
local KINDS_MAX, ERROR_KINDS_MAX = 200, 100
local ERROR_STEPS = { after = true, internal = true }
local DECISIONS = { retry = "retry", throttle = "blocked" } -- by class

-- Whether a hook decided this: its word, and the rest of the reason; nil: it did not.
local function decided(class, reason)
  local word = DECISIONS[class]
  if word and string.sub(reason, 1, #word + 2) == word .. ": " then
    return word, string.sub(reason, #word + 3)
  end
end
local STATUSES = { { 400, 431 }, { 451, 451 }, { 499, 511 }, { 520, 530 } }

local function kind_of(class, reason)
  local decision = decided(class, reason)
  if decision then return reason, decision end
  local step, name = string.match(reason, "^([%w_]+): ([%a_][%w_.]*)")
  if step and (class == "hook" or ERROR_STEPS[step]) and #step <= 40 then
    return step .. ": " .. (#name <= 60 and name or "other"), step
  end
  local word = string.match(reason, "^([%w_]+)$") or string.match(reason, "^([%w_]+): ")
  if not word or #word > 40 then return class end
  local status = tonumber(string.match(word, "^http_(%d%d%d)$"))
  if not status then return word end
  for _, range in ipairs(STATUSES) do
    if status >= range[1] and status <= range[2] then return word end
  end
  return string.format("http_%dxx", math.floor(status / 100))
end

-- The name under which a failure is counted: its kind, or less, where there are many kinds.
local function counted_kind(class, reason)
  local kind, step = kind_of(class, reason)
  if redis.call("HEXISTS", key("reasons"), kind) == 1 then return kind end
  local kinds = redis.call("HLEN", key("reasons"))
  if step and kinds >= ERROR_KINDS_MAX then kind = step .. ": other" end
  if kinds >= KINDS_MAX and redis.call("HEXISTS", key("reasons"), kind) == 0 then
    return "other"
  end
  return kind
end

-- Put a page among the dead letters: [status,at,class,reason,entry]; `raw` that is no entry goes
-- there as a string.
local function bury(crawl, entry, raw, class, reason, status)
  local page = entry and text(entry) or cjson.encode(raw)
  local letter = string.format('[%d,%.0f,%s,%s,%s]', status or 0, now, cjson.encode(class),
    cjson.encode(reason), page)
  redis.call("RPUSH", key("failed"), letter)
  local kind = counted_kind(class, reason)
  -- the first of its kind is an example: its URL, and its reason if that says more
  if redis.call("HINCRBY", key("reasons"), kind, 1) == 1 then
    local example = url_of(entry)
    if reason ~= kind then example = example .. " (" .. string.sub(reason, 1, 400) .. ")" end
    if example ~= "" then redis.call("HSET", key("examples"), "failed_" .. kind, example) end
  end
  count("failed")
  set(crawl, "last_failure", reason)
  if entry and crawl.failed_hook == 1 then
    local handed = { reason = reason, status = status or 0, attempts = entry.attempts }
    promise(crawl, "failed-" .. identify(entry), "", page, cjson.encode(handed))
  end
end
