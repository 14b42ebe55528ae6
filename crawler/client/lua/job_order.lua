#!lua
-- job_order: write the order of a job, once, and count it.
-- KEYS     1 prefix   of the keys of jobs, "{jobs}:"
-- ARGV     1 id       of the job
--          2 order    JSON
--          3 created  microseconds since the epoch
--          4 due      epoch seconds at which to look whether it may be forgotten
-- Uses     all, due (zsets), order:<id> (string), tallies (hash)
-- Returns  1; 0: an order of this id was written before
-- Cost     O(log J), J jobs
local prefix, id = KEYS[1], ARGV[1]
-- the sweep forgets an id without an order, as earlier versions left them
redis.call("ZADD", prefix .. "all", "NX", ARGV[3], id)
redis.call("ZADD", prefix .. "due", "NX", ARGV[4], id)
if redis.call("SETNX", prefix .. "order:" .. id, ARGV[2]) == 0 then return 0 end
redis.call("HINCRBY", prefix .. "tallies", "ordered", 1)
return 1
