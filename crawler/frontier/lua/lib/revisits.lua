-- revisits: pages that are visited again by themselves, when their time has come. A library; needs
-- core, memory and lanes. They are done; `revisits` says when each is due, `revisit_pages` has their
-- entries. While there are any, a crawl does not come to its end by itself.

-- Visit the page `id` of the entry `raw` again in `wait` ms; the last word counts.
local function plan_revisit(id, raw, wait)
  local entry = parse(raw)
  if not entry then return end
  entry.attempts, entry.strikes = 0, 0
  redis.call("HSET", key("revisit_pages"), id, text(entry))
  redis.call("ZADD", key("revisits"), now + wait, id)
end

-- Put the page `id` of `entry`, which is done, at the end of its queue; false: it waits already.
local function come_back(crawl, id, entry)
  if not await(crawl, id) then return false end
  local lane = lane_of(entry.lane)
  entry.attempts, entry.strikes = 0, 0
  redis.call("RPUSH", queue(entry.lane, entry.priority), text(entry))
  for _, name in ipairs({ "queued", "accepted", "again" }) do count(name) end
  change(lane, "n", lane.n + 1)
  place(crawl, lane)
  store(lane)
  return true
end

-- Put pages whose time has come at the end of their queues: at most SWEEP. A page that waits already,
-- as somebody asked for it, is planned again when it is done.
local function come_again(crawl)
  if draining(crawl) then return end
  for _, id in ipairs(first_due("revisits")) do
    local raw = redis.call("HGET", key("revisit_pages"), id)
    redis.call("ZREM", key("revisits"), id)
    redis.call("HDEL", key("revisit_pages"), id)
    local entry = raw and parse(raw)
    if entry then come_back(crawl, id, entry) end
  end
end
