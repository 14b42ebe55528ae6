-- outbox: results and failures that a hook has yet to take. A library; needs core.
-- A delivery has the name "after-ID" or "failed-ID", with the id of its page. It is in the hash
-- `outbox` as lines: attempts, the worker that delivers it now (or ""), the error of the last
-- attempt as JSON, the entry of the page, and what the hook is handed, as JSON; `outbox_due` says
-- when it is to be tried (again).
-- What no hook took in so many attempts is a dead letter, in `undelivered`:
-- [at,name,attempts,bytes of the entry,bytes of what was handed,entry,handed,reason].

-- ms before the second attempt, doubling; and at most
local REDELIVERY, REDELIVERY_MAX = 1000, 600000
-- ms after which a run that was asked to call the hook for the end counts as dead
local END_GRACE = 60000
-- Deliveries that wait, from which on a failing one lets no page be claimed until its next attempt;
-- and dead letters at which the crawl stops: what hooks write to is away.
local OUTBOX_MAX, UNDELIVERED_MAX = 1000, 10000

local function schedule(name, at) redis.call("ZADD", key("outbox_due"), at, name) end

local function write_delivery(name, delivery)
  redis.call("HSET", key("outbox"), name, table.concat({
    delivery.attempts, delivery.worker, delivery.reason, delivery.entry, delivery.handed,
  }, "\n"))
end

-- The delivery `name`; nil if it is not there, or cannot be read.
local function read_delivery(name)
  local value = redis.call("HGET", key("outbox"), name)
  if not value then return nil end
  local line = "([^\n]*)\n"
  local attempts, worker, reason, entry, handed =
    string.match(value, "^(%d+)\n" .. line .. line .. line .. "(.*)$")
  if not handed then return nil end
  return {
    attempts = tonumber(attempts), worker = worker, reason = reason, entry = entry, handed = handed,
  }
end

-- Let `worker`, which reported the page, make the first attempt at `name`, if it was promised.
local function adopt(crawl, name, worker)
  local delivery = read_delivery(name)
  if not delivery then return end
  delivery.attempts, delivery.worker = 1, worker
  write_delivery(name, delivery)
  schedule(name, now + crawl.lease)
end

local function forget(name)
  redis.call("HDEL", key("outbox"), name)
  redis.call("ZREM", key("outbox_due"), name)
end

-- Forget the deliveries that the hooks of `worker` took: `names`, separated by spaces. One that is
-- another worker's by now, or of a crawl that was begun again meanwhile, stays.
local function delivered(names, worker)
  for name in string.gmatch(names, "%S+") do
    local value = redis.call("HGET", key("outbox"), name)
    if value and string.match(value, "^%d+\n([^\n]*)\n") == worker then forget(name) end
  end
end

-- No hook takes this: keep it as a dead letter.
local function give_up(crawl, name, delivery, reason)
  forget(name)
  local head = string.format('[%.0f,%s,%d,%d,%d,', now, cjson.encode(name), delivery.attempts,
    #delivery.entry, #delivery.handed)
  redis.call("RPUSH", key("undelivered"),
    head .. table.concat({ delivery.entry, delivery.handed, cjson.encode(reason) }, ",") .. "]")
  local letters = count("undelivered")
  if letters >= UNDELIVERED_MAX and (crawl.status == "ACTIVE" or crawl.status == "DRAINING") then
    become(crawl, "STOPPING", letters .. " results were not taken by their hooks")
  end
end

-- No hook can be handed what cannot be read: keep its name among the dead letters.
local function give_up_unread(crawl, name)
  give_up(crawl, name, { attempts = 0, entry = "null", handed = "null" }, "corrupt")
end

-- No run calls the hook for the crawl's end any more: it is among the undelivered.
local function give_up_end_hook(crawl, reason)
  set(crawl, "end_hook_done", 1)
  redis.call("RPUSH", key("undelivered"), string.format('[%.0f,"after_all",%d,0,0,null,null,%s]',
    now, crawl.end_hook_asks or 0, cjson.encode(reason)))
  count("undelivered")
end

-- Tickets for the deliveries that are due, at most so many; their runs have `life` ms to take them.
local DUE_MAX = 20
local function delivery_tickets(crawl, life)
  -- later than any may be due: see reap
  local latest = now + math.max(crawl.lease, REDELIVERY_MAX) + 1000
  local far = redis.call("ZRANGEBYSCORE", key("outbox_due"), latest, "+inf", "LIMIT", 0, DUE_MAX)
  for _, name in ipairs(far) do schedule(name, now) end
  local names = redis.call("ZRANGEBYSCORE", key("outbox_due"), "-inf", now, "LIMIT", 0, DUE_MAX)
  local tickets = {}
  for _, name in ipairs(names) do
    if string.match(name, "^%l+%-%x+$") then
      schedule(name, now + life)
      tickets[#tickets + 1] = "deliver-" .. name
    else
      give_up_unread(crawl, name)
    end
  end
  return tickets
end
