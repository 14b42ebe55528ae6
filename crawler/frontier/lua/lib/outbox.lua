-- outbox: results and failures that a hook has yet to take. A library; needs core.
-- A delivery has the name "after-ID" or "failed-ID", with the id of its page. It is in the hash
-- `outbox` as lines: attempts, the worker that delivers it now (or ""), the entry of the page, and
-- what the hook is handed, as JSON; `outbox_due` says when it is to be tried (again).
-- What no hook took in so many attempts is a dead letter, in `undelivered`:
-- [at,name,attempts,bytes of the entry,bytes of what was handed,entry,handed,reason].

-- ms before the second attempt, doubling; and at most
local REDELIVERY, REDELIVERY_MAX = 1000, 600000

local function schedule(name, at) redis.call("ZADD", key("outbox_due"), at, name) end

local function write_delivery(name, delivery)
  redis.call("HSET", key("outbox"), name, table.concat({
    delivery.attempts, delivery.worker, delivery.entry, delivery.handed,
  }, "\n"))
end

-- The delivery `name`, or nil.
local function read_delivery(name)
  local value = redis.call("HGET", key("outbox"), name)
  if not value then return nil end
  local attempts, worker, entry, handed = string.match(value, "^(%d+)\n([^\n]*)\n([^\n]*)\n(.*)$")
  return { attempts = tonumber(attempts), worker = worker, entry = entry, handed = handed }
end

-- Let `worker`, which reported the page, make the first attempt at `name`, if it was promised.
local function adopt(crawl, name, worker)
  local delivery = read_delivery(name)
  if not delivery then return end
  delivery.attempts, delivery.worker = 1, worker
  write_delivery(name, delivery)
  schedule(name, now + crawl.lease)
end

-- Forget the deliveries that hooks took: `names`, separated by spaces.
local function delivered(names)
  for name in string.gmatch(names, "%S+") do
    redis.call("HDEL", key("outbox"), name)
    redis.call("ZREM", key("outbox_due"), name)
  end
end

-- No hook takes this: keep it as a dead letter.
local function give_up(name, delivery, reason)
  delivered(name)
  local head = string.format('[%.0f,"%s",%d,%d,%d,', now, name, delivery.attempts,
    #delivery.entry, #delivery.handed)
  redis.call("RPUSH", key("undelivered"),
    head .. table.concat({ delivery.entry, delivery.handed, cjson.encode(reason) }, ",") .. "]")
  count("undelivered")
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
local function delivery_tickets(life)
  local names = redis.call("ZRANGEBYSCORE", key("outbox_due"), "-inf", now, "LIMIT", 0, DUE_MAX)
  for i, name in ipairs(names) do
    schedule(name, now + life)
    names[i] = "deliver-" .. name
  end
  return names
end
