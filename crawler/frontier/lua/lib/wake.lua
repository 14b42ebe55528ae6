-- wake: the wake-ups (tickets) that should be on their way. A library; needs core, lanes
-- and revisits.

local TICKET_LIFE, TICKET_LIFE_MAX = 60000, 600000
local GRANT_MAX = 100
local FORGET_MAX = 1000

-- Whether the run that does `before_all` still holds its page.
local function preparing(crawl)
  local id, token = string.match(crawl.before or "", "^running:(%x+):(.*)$")
  if not id then return false end
  return redis.call("HGET", key("tokens"), token) == id
end

-- Wake-ups that would find a page now.
local function eligible(crawl)
  if crawl.status ~= "ACTIVE" and crawl.status ~= "DRAINING" then return 0 end
  if (crawl.held or 0) > now or preparing(crawl) then return 0 end
  local pages
  if crawl.status == "DRAINING" then
    pages = redis.call("ZCOUNT", key("delayed"), "-inf", now)
  else
    local ready = redis.call("LLEN", key("ready"))
    pages = math.min(counted("queued"), room(crawl))
    if crawl.delay > 0 or crawl.throttle == 1 then
      pages = math.min(pages, ready)
    elseif crawl.host_concurrency then
      pages = math.min(pages, ready * crawl.host_concurrency)
    elseif ready == 0 then
      pages = 0
    end
  end
  if crawl.before == "none" then pages = math.min(1, pages) end
  return pages
end

-- When a ticket was granted, in ms; nil: it is not one of a grant.
local function granted_at(ticket) return tonumber(string.match(ticket, "^%x+%-(%d+)%-%d+$")) end

-- A wake-up was answered: count how long it was on its way, in powers of two.
local function arrived(ticket)
  local granted = granted_at(ticket)
  if not granted then return end
  local took, power = math.max(0, now - granted), 0
  while 2 ^ power < took and power < 17 do power = power + 1 end
  tally("wakeup:" .. power)
  tally("wakeup:us", took * 1000)
end

-- Issue the missing tickets, named after `nonce` and the time; returns them.
local function grant(crawl, nonce)
  local free = crawl.concurrency_limit - processing()
  local live = redis.call("ZCOUNT", key("tickets"), "(" .. now, "+inf")
  local tickets = {}
  for i = 1, math.min(GRANT_MAX, math.min(free, eligible(crawl)) - live) do
    tickets[i] = string.format("%s-%.0f-%d", nonce, now, i)
    redis.call("ZADD", key("tickets"), now + (crawl.ticket_life or TICKET_LIFE), tickets[i])
  end
  return tickets
end

-- Forget the tickets that were granted before the time `since`: the oldest of them, which end
-- first.
local function forget_tickets(since)
  for _, ticket in ipairs(redis.call("ZRANGE", key("tickets"), 0, FORGET_MAX)) do
    if (granted_at(ticket) or now) < since then redis.call("ZREM", key("tickets"), ticket) end
  end
end

-- Add the `sums` of a run that is over ("name amount name amount ...") to the tallies (those
-- that begin with "count:", to the counts; the first "example:NAME=..." is kept as an example of
-- that count), and issue the missing tickets.
-- Returns ms until a lane or a retry is due, or the hold ends ("": tickets follow, no room, or
--         nothing waits); tickets, at most 100.
local function next_wake(crawl, nonce, sums)
  for name, amount in string.gmatch(sums, "(%S+) (%d+)") do
    local counted_as = string.match(name, "^count:(.+)$")
    local exemplified, example = string.match(name, "^example:([%w_:.-]+)=(.+)$")
    if counted_as then
      count(counted_as, amount)
    elseif exemplified then
      example = string.gsub(example, "%%(%x%x)", function(hex)
        return string.char(tonumber(hex, 16))
      end)
      redis.call("HSETNX", key("examples"), exemplified, example)
    else
      tally(name, amount)
    end
  end
  redis.call("ZREMRANGEBYSCORE", key("tickets"), "-inf", now)
  if crawl.status ~= "ACTIVE" and crawl.status ~= "DRAINING" then return { "" } end
  promote(crawl)
  come_again(crawl)
  local tickets = grant(crawl, nonce)
  if #tickets > 0 or processing() >= crawl.concurrency_limit then return { "", unpack(tickets) } end
  return { (crawl.held or 0) > now and crawl.held - now or next_due(crawl) or "" }
end
