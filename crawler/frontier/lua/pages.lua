#!lua flags=no-writes
-- pages: return the pages of one state.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 state   "queued", "delayed", "processing", "done" or "failed"
--          2 start   pages to leave out
--          3 count   pages at most
-- Uses     queued (lists), ready, processing, done, failed (lists), delayed, snoozed (zsets)
-- With     core, lanes
-- Returns  entries: queued ones lane by lane (those whose turn is next, those that wait for their
--          time, those at their cap), delayed ones as they are due, the oldest claim first; of
--          failed, dead letters, and of done, URLs: the latest first
-- Cost     O(start + count), and three lists of each of so many lanes at most
local crawl, refusal = load()
if not crawl then return refusal end
local state, start, count = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local stop = start + count - 1
if state == "delayed" then return redis.call("ZRANGE", key("delayed"), start, stop) end
if state == "processing" then return redis.call("LRANGE", key("processing"), start, stop) end
local answer = {}
if state ~= "queued" then
  local oldest = redis.call("LRANGE", key(state), -stop - 1, -start - 1)
  for i = #oldest, 1, -1 do answer[#answer + 1] = oldest[i] end
  return answer
end

local met = {}
local function list(lane)
  if met[lane] then return end
  met[lane] = true
  for priority = 0, 2 do
    if #answer == count then return end
    local name = queue(lane, priority)
    local length = redis.call("LLEN", name)
    if start >= length then
      start = start - length
    else
      local last = start + count - #answer - 1
      for _, raw in ipairs(redis.call("LRANGE", name, start, last)) do
        answer[#answer + 1] = raw
      end
      start = 0
    end
  end
end

for _, lane in ipairs(redis.call("LRANGE", key("ready"), 0, stop)) do list(lane) end
for _, lane in ipairs(redis.call("ZRANGE", key("snoozed"), 0, stop)) do list(lane) end
for _, raw in ipairs(redis.call("LRANGE", key("processing"), 0, stop)) do
  local entry = parse(raw)
  if entry then list(entry.lane) end
end
return answer
