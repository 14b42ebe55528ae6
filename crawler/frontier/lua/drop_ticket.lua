#!lua flags=allow-oom
-- drop_ticket: take a wake-up back that could not be answered, or not be sent.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 ticket
-- Uses     tickets (zset)
-- With     core
-- Returns  1 if the ticket was there, else 0
-- Cost     O(log n)
return redis.call("ZREM", key("tickets"), ARGV[1])
