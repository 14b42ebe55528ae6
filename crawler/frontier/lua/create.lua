#!lua
-- create: write a crawl's plan, once, or say what stands in the way.
-- KEYS     1 prefix      "crawl:{name}:"; every key of the crawl begins with it
-- ARGV     1 digest      of the definition
--          2 update      a crawl with another digest takes this plan, and goes on: "always", "never",
--                        or "near": only if it starts at one of these hosts, or at none that is kept
--          3 generation  of a crawl that is created
--          4 before_all  "none", or "done" for a crawl without that hook
--          5 buckets     for known URLs, at first
--          6 entries     number of arguments that follow: host, "1" if it is private, ...
--          7 dropped     number of fields that follow these, which the plan leaves empty
--          8 keys        number of keys that follow these, which an ended generation leaves and
--                        another one begins without; 0: the crawl is not begun again
--          9...          all of them; then field, value, ... of the plan
-- Uses     meta, entries, counts, memory, fetching (hashes)
-- With     core, memory
-- Returns  "CREATED", "EXISTS", "UPDATED", "OTHER" (another digest), "ELSEWHERE" (it starts at other
--          hosts), "STOPPING" (so it takes no plan), or the status in which the crawl ended
-- Cost     O(E), E hosts at which the crawl starts
local ABOUT = "What celery-crawler keeps about one crawl. "
  .. "Change it through its commands and scripts only."
local digest = ARGV[1]
local dropped, left, fields = {}, {}, {}
local START = 9
local first = START + tonumber(ARGV[6])
for i = first, first + tonumber(ARGV[7]) - 1 do dropped[#dropped + 1] = ARGV[i] end
for i = first + #dropped, first + #dropped + tonumber(ARGV[8]) - 1 do left[#left + 1] = key(ARGV[i]) end
for i = first + #dropped + #left, #ARGV do fields[#fields + 1] = ARGV[i] end

local function write()
  local time = redis.call("TIME")
  -- What was decided about a host stays: only those that are new to the crawl are added.
  for i = START, first - 2, 2 do redis.call("HSETNX", key("entries"), ARGV[i], ARGV[i + 1]) end
  -- no two versions are alike, also not those of a crawl that took this one's name
  redis.call("HSET", key("meta"), "digest", digest, "entries", time[1] * 1000000 + time[2],
    unpack(fields))
  if #dropped > 0 then redis.call("HDEL", key("meta"), unpack(dropped)) end
end

-- Another generation, which remembers the pages of the one that has ended.
local remembers, before = false, nil
if #left > 0 and redis.call("EXISTS", key("meta")) == 1 then
  local ended, refusal = load()
  if not ended then return refusal end
  if ended.turning ~= 1 then return ended.status end
  before = generation(ended)
  end_generation(ended)
  redis.call("UNLINK", key("meta"), unpack(left))
  remembers = true
end

if redis.call("EXISTS", key("meta")) == 0 then
  -- The sentence makes the hash longer than a listpack may be, so that reading forty of its fields
  -- does not scan it forty times.
  redis.call("HSET", key("meta"), "about", ABOUT, "version", SCHEMA, "status", "NEW", "reason", "",
    "generation", before and before + 1 or ARGV[3], "before", ARGV[4], "buckets", ARGV[5], "splits", 0)
  write()
  local time = redis.call("TIME")
  if remembers then redis.call("HSET", key("meta"), "remembers", 1) end
  redis.call("HSET", key("meta"), "created", time[1] * 1000 + math.floor(time[2] / 1000))
  return "CREATED"
end

local crawl, refusal = load()
if not crawl then return refusal end
if ENDED[crawl.status] then return crawl.status end
if redis.call("HGET", key("meta"), "digest") == digest then return "EXISTS" end
if ARGV[2] == "never" then return "OTHER" end
if crawl.status == "STOPPING" then return "STOPPING" end
local near = ARGV[2] == "always" or ARGV[6] == "0" or redis.call("EXISTS", key("entries")) == 0
for i = START, first - 2, 2 do
  near = near or redis.call("HEXISTS", key("entries"), ARGV[i]) == 1
end
if not near then return "ELSEWHERE" end
redis.call("DEL", key("fetching")) -- what was the same of other items may not be of these
write()
return "UPDATED"
