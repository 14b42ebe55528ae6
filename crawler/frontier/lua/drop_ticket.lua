#!lua flags=allow-oom
-- drop_ticket: take a wake-up back that could not be answered, or not be sent.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 ticket
-- Uses     tickets, outbox_due (zsets)
-- With     core
-- Returns  1 if the ticket was there, else 0
-- Cost     O(log n)
local name = string.match(ARGV[1], "^deliver%-(.+)$")
if name then -- that delivery is due at once
  return redis.call("ZADD", key("outbox_due"), "XX", "CH", 0, name)
end
return redis.call("ZREM", key("tickets"), ARGV[1])
