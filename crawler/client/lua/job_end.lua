#!lua
-- job_end: count the end of a job, once, however often it is told. One that is tried again, and
-- ends again, has a second end, and no second times.
-- KEYS     1 prefix      of the keys of jobs, "{jobs}:"
-- ARGV     1 id          of the job
--          2 end         which end this is: its time
--          3 state       "done", "failed", "stopped"
--          4 kind        of failure; "": it has not failed
--          5 waiting     ms; "": it was never begun
--          6 processing  ms
-- Uses     counted, tallies (hashes)
-- Returns  1; 0: this end was counted before
-- Cost     O(1)
local prefix, id = KEYS[1], ARGV[1]
local tallies = prefix .. "tallies"
-- Kinds of failure that have a count of their own; they may come from sites and hooks.
local KINDS_MAX = 50
-- The last bucket has all times of more than 2^24 ms (4.7 hours).
local POWERS = 25

local before = redis.call("HGET", prefix .. "counted", id)
if before == ARGV[2] then return 0 end
redis.call("HSET", prefix .. "counted", id, ARGV[2])
redis.call("HINCRBY", tallies, ARGV[3], 1)

if ARGV[4] ~= "" then
  local name = "kind:" .. ARGV[4]
  if redis.call("HEXISTS", tallies, name) == 0
    and redis.call("HINCRBY", tallies, "kinds", 1) > KINDS_MAX then
    name = "kind:other"
  end
  redis.call("HINCRBY", tallies, name, 1)
end

-- Count a time under the least n for which it is at most 2^n ms; see run/timings.py.
local function add(name, text)
  local ms, power = tonumber(text), 0
  while power < POWERS and ms > 2 ^ power do power = power + 1 end
  redis.call("HINCRBY", tallies, name .. ":" .. power, 1)
  redis.call("HINCRBY", tallies, name .. ":ms", math.floor(ms))
end

if not before and ARGV[5] ~= "" then
  add("waiting", ARGV[5])
  add("processing", ARGV[6])
end
return 1
