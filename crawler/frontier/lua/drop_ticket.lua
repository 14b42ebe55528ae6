#!lua flags=allow-oom
-- drop_ticket: take a wake-up back that could not be answered, or not be sent.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 ticket
--          2 error   that kept it from being sent, or ""
-- Uses     meta (hash), tickets, outbox_due (zsets)
-- With     core
-- Returns  1 if the ticket was there, else 0
-- Cost     O(log n)
if ARGV[2] ~= "" and redis.call("EXISTS", key("meta")) == 1 then
  local time = redis.call("TIME")
  redis.call("HSET", key("meta"), "start_error", ARGV[2], "start_error_at", time[1] * 1000)
end
local name = string.match(ARGV[1], "^deliver%-(.+)$")
if name then -- that delivery is due at once
  return redis.call("ZADD", key("outbox_due"), "XX", "CH", 0, name)
end
if string.match(ARGV[1], "^end%-") then -- the next tick asks for the hook of the crawl's end
  local asks = tonumber(redis.call("HGET", key("meta"), "end_hook_asks") or 0)
  if redis.call("EXISTS", key("meta")) == 0 then return 0 end
  redis.call("HSET", key("meta"), "end_hook_asked", 0, "end_hook_asks", math.max(0, asks - 1))
  return 1
end
return redis.call("ZREM", key("tickets"), ARGV[1])
