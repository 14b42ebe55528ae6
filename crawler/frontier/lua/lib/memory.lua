-- memory: what a crawl knows of its pages from one generation to the next: the digest of a page's
-- item, when the page was first and last seen, and in which generation. A library; needs core.
-- A page is a field of a hash that holds some hundred of them, a bucket, which Redis keeps packed.
-- There are as many buckets as the pages need: the table grows one bucket at a time, as in lib/seen.
-- Which pages are still known is said by the number of their generation, so none is visited when
-- another generation begins; what is forgotten goes with the steps that add others.
-- The field is 5 bytes of the page's id. Its value: 4 bytes of the digest of its item (0: it had none
-- yet), 2 and 2 for the hours at which it was first and last seen, 2 for its generation and state.

-- These names are for the scripts; Lua allows two hundred of one level.
local generation, known_digest, known_page, remember, remember_failure, await
local end_generation
do

local ROOTS, PAGES = 32, 96 -- buckets at first, and pages per bucket
local FIELD, VALUE = ">I4B", ">I4I2I2I2"
-- States: as usual; gone (404, 410), which the next generation does not know any more; lost (another
-- failure that will not pass). And one that is added: the page was asked for again, and waits.
local PRESENT, GONE, LOST, WAITS = 0, 1, 2, 4
local GENERATIONS = 8192 -- numbers of generations that are told apart
local HOUR, HOURS = 3600000, 65535
-- What is forgotten is swept when the table holds so many times the pages that are known, and more.
local GARBAGE, GARBAGE_MIN = 1.25, 1000

local facts -- of the hash `memory`, once they were read
local function memory()
  if not facts then
    local names = { "splits", "pages", "since", "base", "known", "swept" }
    local values = redis.call("HMGET", key("memory"), unpack(names))
    facts = {}
    for i, name in ipairs(names) do facts[name] = tonumber(values[i] or 0) end
    if facts.since == 0 then facts.since = 1 end
    if facts.base == 0 then facts.base = now end
  end
  return facts
end

function generation(crawl) return tonumber(crawl.generation or 1) end

local function bucket_of(number) return string.format("%smemory:%.0f", prefix, number) end

-- How many buckets this round began with, and which is split next.
local function memory_round()
  local size, all = ROOTS, ROOTS + memory().splits
  while 2 * size <= all do size = 2 * size end
  return size, all - size
end

-- The bucket of the page `id`, and its field there.
local function place_of_page(id)
  local size, next_ = memory_round()
  local high = tonumber(string.sub(id, 9, 16), 16)
  local place = tonumber(string.sub(id, 1, 8), 16) % ROOTS + ROOTS * high
  local number = place % size
  if number < next_ then number = place % (2 * size) end
  return bucket_of(number), struct.pack(FIELD, high, tonumber(string.sub(id, 17, 18), 16))
end

local function unpack_page(value)
  local digest, first, last, tail = struct.unpack(VALUE, value)
  local state = tail % 8
  return {
    digest = digest, first = first, last = last, generation = (tail - state) / 8,
    state = state % WAITS, waits = state >= WAITS,
  }
end

local function write_page(place, page)
  local tail = 8 * page.generation + page.state + (page.waits and WAITS or 0)
  redis.call("HSET", place.bucket, place.field,
    struct.pack(VALUE, page.digest, page.first, page.last, tail))
end

-- How many generations ago the page was met: 0 for this one.
local function age(crawl, page) return (generation(crawl) - page.generation) % GENERATIONS end

-- Whether the page counts: met since the generation from which on they do, and not gone before.
local function counts(crawl, page)
  local ago = age(crawl, page)
  return ago <= generation(crawl) - memory().since and (page.state ~= GONE or ago == 0)
end

-- Whether the crawl knows the page: it was done once.
local function is_known(crawl, page) return page and page.digest > 0 and counts(crawl, page) end

-- What is kept of the page `id`, or nil; and its place, for `write_page`.
local function recall(id)
  local bucket, field = place_of_page(id)
  local value = redis.call("HGET", bucket, field)
  return value and unpack_page(value) or nil, { bucket = bucket, field = field }
end

-- Take those out of a bucket that are `unwanted`.
local function take_out(bucket, fields)
  for i = 1, #fields, 1000 do
    redis.call("HDEL", bucket, unpack(fields, i, math.min(i + 999, #fields)))
  end
end

-- Split the next bucket in two.
local function split_memory()
  local size, number = memory_round()
  local values, moved, fields = redis.call("HGETALL", bucket_of(number)), {}, {}
  for i = 1, #values, 2 do
    local place = number % ROOTS + ROOTS * struct.unpack(">I4", values[i])
    if place % (2 * size) ~= number then
      fields[#fields + 1] = values[i]
      moved[#moved + 1] = values[i]
      moved[#moved + 1] = values[i + 1]
    end
  end
  take_out(bucket_of(number), fields)
  for i = 1, #moved, 1000 do
    redis.call("HSET", bucket_of(number + size), unpack(moved, i, math.min(i + 999, #moved)))
  end
  facts.splits = redis.call("HINCRBY", key("memory"), "splits", 1)
end

-- Forget the pages of the next bucket that do not count any more.
local function sweep(crawl)
  local number = facts.swept % (ROOTS + facts.splits)
  local values, fields = redis.call("HGETALL", bucket_of(number)), {}
  for i = 1, #values, 2 do
    if not counts(crawl, unpack_page(values[i + 1])) then fields[#fields + 1] = values[i] end
  end
  take_out(bucket_of(number), fields)
  redis.call("HSET", key("memory"), "swept", number + 1)
  facts.pages = redis.call("HINCRBY", key("memory"), "pages", -#fields)
end

-- Keep a page that had no place yet.
local function add_page(crawl, place, page)
  if memory().pages == 0 then redis.call("HSETNX", key("memory"), "base", now) end
  write_page(place, page)
  facts.pages = redis.call("HINCRBY", key("memory"), "pages", 1)
  if facts.since > 1 and facts.pages > GARBAGE * (facts.known + counted("fresh")) + GARBAGE_MIN then
    sweep(crawl)
  end
  if facts.pages > PAGES * (ROOTS + facts.splits) then split_memory() end
end

local function hours()
  return math.min(HOURS, math.max(0, math.floor((now - memory().base) / HOUR)))
end

-- The digest of the item that the page had when it was last done, as hexadecimal digits, with "+" if
-- that was in this generation; "" for a page that is not known.
function known_digest(crawl, id)
  if not crawl.remembers then return "" end
  local page = recall(id)
  if not is_known(crawl, page) then return "" end
  return string.format("%08x", page.digest) .. (age(crawl, page) == 0 and "+" or "")
end

-- What is known of the page `id`, as the script recall returns it; 0 if nothing is.
function known_page(crawl, id)
  local page = recall(id)
  if not is_known(crawl, page) then return 0, 0, 0, 0, 0 end
  local base = math.floor(memory().base / HOUR)
  return 1, base + page.first, base + page.last, age(crawl, page) == 0 and 1 or 0,
    page.state == PRESENT and 1 or 0
end

-- A page is met that an earlier generation knew.
local function meet(crawl, page)
  if age(crawl, page) == 0 then return end
  count("met")
  if age(crawl, page) == 1 then count("met_recent") end
  page.generation = generation(crawl) % GENERATIONS
end

-- Put a page that was known among those that vanished: [at,status,reason,id,url].
local function vanish(id, url, reason, status)
  count("vanished")
  redis.call("RPUSH", key("vanished"), string.format('[%.0f,%d,%s,"%s",%s]', now, status,
    cjson.encode(reason), id, cjson.encode(url)))
end

local function keep(crawl, place, page, before)
  page.waits, page.last = false, hours()
  page.generation = generation(crawl) % GENERATIONS
  if before then write_page(place, page) else add_page(crawl, place, page) end
end

-- A page is done: remember the `digest` of its item, eight hexadecimal digits. Returns whether no
-- list has its URL yet.
function remember(crawl, id, digest, status, url)
  local before, place = recall(id)
  local page = before or { first = hours(), digest = 0, state = PRESENT }
  local known = is_known(crawl, page)
  local state = (status == 404 or status == 410) and LOST or PRESENT
  if known then
    if page.state == GONE then count("gone", -1) end
    if state == PRESENT and page.state ~= PRESENT and age(crawl, page) == 0 then
      count("vanished", -1)
    elseif state == LOST and page.state == PRESENT then
      vanish(id, url, "http_" .. status, status)
    end
    meet(crawl, page)
  else
    count("fresh")
  end
  page.state = state
  page.digest = tonumber(digest ~= "" and digest or "1", 16)
  keep(crawl, place, page, before)
  return not known
end

-- A page is among the failed: one that was known has vanished if its failure will not pass.
function remember_failure(crawl, entry, class, reason, status)
  local id = entry.id or identify(entry)
  if not id then return end
  local before, place = recall(id)
  local page = before or { first = hours() }
  local known = before and is_known(crawl, page)
  if class ~= "terminal" or reason == "login" then count("unreached") end
  if known then
    meet(crawl, page)
    if class == "terminal" and reason ~= "login" then
      if page.state == PRESENT then
        vanish(id, url_of(entry), reason, status)
        page.state = LOST
      end
      if (status == 404 or status == 410) and page.state ~= GONE then
        page.state = GONE
        count("gone")
      end
    end
  else
    page.digest, page.state = 0, GONE
  end
  keep(crawl, place, page, before)
end

-- Let the page `id` wait again, if this generation is done with it and nobody has let it wait since.
function await(crawl, id)
  local page, place = recall(id)
  if not page or age(crawl, page) > 0 or page.waits then return false end
  page.waits = true
  write_page(place, page)
  if not crawl.remembers then set(crawl, "remembers", 1) end
  return true
end

-- What an ended generation leaves to the next: how many pages are known, and from which generation on
-- they count. A crawl that came to its end by itself has looked for all pages: those that it did not
-- meet are forgotten. Where some failed, others may be behind them: then it takes two.
function end_generation(crawl)
  local n = generation(crawl)
  local values = redis.call("HMGET", key("memory"), "known", "recent", "since", "last")
  local known, recent = tonumber(values[1] or 0), tonumber(values[2] or 0)
  local since, last = tonumber(values[3] or 1), values[4] or ""
  local here = counted("met") + counted("fresh") - counted("gone")
  local whole = crawl.status == "FINISHED" and counted("queued") == 0
    and counted("skipped_full") == 0
  if whole then last = string.format("%.0f", crawl.started or now) end
  if not whole or counted("skipped_lastmod") > 0 then
    known = known + counted("fresh") - counted("gone")
  elseif counted("unreached") == 0 then
    known, since = here, n
  else
    known, since = here + recent - counted("met_recent"), math.max(since, n - 1)
  end
  redis.call("HSET", key("memory"), "known", known, "recent", here, "since", since, "last", last)
end

end
