#!lua
-- retry: send dead letters back to their queues, as if they had never been tried. A crawl that has ended is re-opened by it.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     letters, byte for byte; those no longer among the failed are left out
-- Uses     meta, counts, reasons, lane:<lane> (hashes), failed, queued... (lists), ready, snoozed
-- With     core, lanes
-- Returns  number of pages sent back
-- Cost     O(k F), k letters, F failed (O(k) when they are the oldest ones)
local crawl, refusal = load()
if not crawl then return refusal end
local back = 0
-- A letter is [status,at,class,reason,entry], as bury wrote it: the entry begins where the encoded reason ends.
local function open(letter)
  local ok, fields = pcall(cjson.decode, letter)
  local head = string.match(letter, '^%[%d+,%d+,"%l+",')
  if not ok or not head then return nil end
  return parse(string.sub(letter, #head + #cjson.encode(fields[4]) + 2, -2)), fields[4]
end

for _, letter in ipairs(ARGV) do
  local entry, reason = open(letter)
  if entry and redis.call("LREM", key("failed"), 1, letter) == 1 then
    count("failed", -1)
    if redis.call("HINCRBY", key("reasons"), reason, -1) <= 0 then redis.call("HDEL", key("reasons"), reason) end
    if entry.attempts > 0 then count("started", -1) end
    entry.attempts, entry.strikes = 0, 0
    local lane = lane_of(entry.lane)
    forgive(lane)
    redis.call("RPUSH", queue(entry.lane, entry.band), text(entry))
    count("queued")
    change(lane, "n", lane.n + 1)
    place(crawl, lane)
    store(lane)
    back = back + 1
  end
end
if back > 0 and (ENDED[crawl.status] or crawl.status == "DRAINING") then
  redis.call("HDEL", key("meta"), "cancel", "end_as")
  become(crawl, "ACTIVE") -- unless a limit is still reached
  check_pages(crawl)
end
return back
