#!lua
-- slot: take one of a number of slots, or give one back, after which it rests.
-- KEYS     1 prefix  of the key below
-- ARGV     1 slots   how many there are
--          2 life    ms after which a slot that was taken and not given back is free again
--          3 taken   the slot that is given back; "": take one
--          4 rest    ms until a slot that is given back may be taken again
-- Uses     slots (zset): slot, and when it is free
-- Returns  the slot, or "", and then in how many ms one may be free
-- Cost     O(slots)
local key = KEYS[1] .. "slots"
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local slots = tonumber(ARGV[1])
if ARGV[3] ~= "" then
  -- one more: what is left of this millisecond counts, too
  redis.call("ZADD", key, now + 1 + ARGV[4], ARGV[3])
  redis.call("PEXPIRE", key, ARGV[2] + ARGV[4])
  return { ARGV[3], 0 }
end
local soonest
for slot = 1, slots do
  local free = tonumber(redis.call("ZSCORE", key, slot) or 0)
  if free <= now then
    redis.call("ZADD", key, now + ARGV[2], slot)
    redis.call("PEXPIRE", key, ARGV[2] + ARGV[4])
    return { tostring(slot), 0 }
  end
  soonest = math.min(soonest or free, free)
end
return { "", soonest - now }
