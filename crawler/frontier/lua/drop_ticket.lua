#!lua flags=allow-oom
-- drop_ticket: take a wake-up back that could not be answered, or not be sent.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 ticket
-- Uses     meta (hash), tickets, outbox_due (zsets)
-- With     core
-- Returns  1 if the ticket was there, else 0
-- Cost     O(log n)
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
