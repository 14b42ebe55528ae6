-- links: add the pages that are not known yet to the queues of their lanes. A library; needs core,
-- memory, lanes and seen.

-- The error for a crawl that takes no pages any more; nil: it does. `linked`: from a page that is
-- in flight.
local function unwilling(crawl, linked)
  if not ENDED[crawl.status] and (crawl.status ~= "STOPPING" or linked) then return nil end
  local why = crawl.reason ~= "" and " (" .. crawl.reason .. ")" or ""
  local status = "REFUSED the crawl is " .. crawl.status .. why
  return redis.error_reply(status .. "; pages are added only after it is re-opened")
end

-- Patterns of URLs that a crawl counts; the pages of all others count as one pattern.
local PATTERNS_MAX = 20000
-- By kind of a pattern (see urls/url_patterns.py): the limit of pages is divided by so much, but not
-- below PATTERN_FLOOR. Sets of the names of a path's queries are of the last kind.
local PATTERN_DIVISORS, PATTERN_FLOOR = { [0] = 1, 10, 100, 1000 }, 1000
local SETS_OF_NAMES = 3

-- The pages in ARGV from `first` on: bucket (32 bits), value (decimal, below 2^63), entry; for each
-- page, at most 200. Else the error. After the value may stand "+": the page is queued again. After the bucket of a link may stand the kind and the name of
-- its pattern, and the name of its path's, if it has a query ("bucket kind name path").
-- Also the patterns, each once: they hold their links together.
local function linked_pages(first)
  local pages, patterns, known = {}, {}, {}
  for i = first, #ARGV, 3 do
    local raw = ARGV[i + 2]
    local entry = parse(raw)
    if not entry then return nil, redis.error_reply("ERR not an entry: " .. raw) end
    local bucket, pattern = tonumber(ARGV[i]), nil
    if not bucket then
      local space = string.find(ARGV[i], " ", 1, true)
      local text = string.sub(ARGV[i], space + 1)
      bucket, pattern = tonumber(string.sub(ARGV[i], 1, space - 1)), known[text]
      if not pattern then
        local kind, name, path = string.match(text, "^(%d) (%x+) (%x*)$")
        pattern = { kind = tonumber(kind), name = name, path = path ~= "" and path }
        known[text] = pattern
        patterns[#patterns + 1] = pattern
      end
    end
    local value, again = string.match(ARGV[i + 1], "^(%d+)(%+?)$")
    pages[#pages + 1] = {
      bucket = bucket, value = value, raw = raw, entry = entry, pattern = pattern,
      again = again == "+",
    }
  end
  pages.patterns = patterns
  return pages
end

-- How many pages each of the `patterns` has, by its name.
local function pattern_counts(patterns)
  local names, counts = { "other" }, {}
  for _, pattern in ipairs(patterns) do
    names[#names + 1] = pattern.name
    if pattern.path then names[#names + 1] = pattern.path end
  end
  local values = redis.call("HMGET", key("patterns"), unpack(names))
  for i, name in ipairs(names) do counts[name] = tonumber(values[i] or 0) end
  return counts
end

local function pattern_limit(crawl, kind)
  return math.min(crawl.pattern_limit,
    math.max(PATTERN_FLOOR, math.floor(crawl.pattern_limit / (PATTERN_DIVISORS[kind] or 1))))
end

-- The patterns of one call: `full` says whether a pattern has all the pages that the limit allows,
-- `note` that one of its pages is taken.
local function counted_patterns(crawl, patterns)
  local counts, kept, changed = pattern_counts(patterns), nil, {}
  -- a pattern is counted by its own name, while there are not too many
  local function name_of(pattern)
    if counts[pattern.name] > 0 then return pattern.name end
    kept = kept or redis.call("HLEN", key("patterns"))
    return kept < PATTERNS_MAX and pattern.name or "other"
  end
  local function add_one(name)
    if counts[name] == 0 and kept then kept = kept + 1 end
    counts[name] = counts[name] + 1
    changed[name] = counts[name]
  end
  local function is_new_set(pattern, name)
    return pattern.path and name ~= "other" and counts[name] == 0
  end
  for _, pattern in ipairs(patterns) do pattern.limit = pattern_limit(crawl, pattern.kind) end
  return {
    full = function(pattern)
      local name = name_of(pattern)
      if counts[name] >= (name == "other" and crawl.pattern_limit or pattern.limit) then
        return true
      end
      return is_new_set(pattern, name)
        and counts[pattern.path] >= pattern_limit(crawl, SETS_OF_NAMES)
    end,
    note = function(pattern)
      local name = name_of(pattern)
      if is_new_set(pattern, name) then add_one(pattern.path) end
      add_one(name)
    end,
    store = function()
      local fields = {}
      for name, number in pairs(changed) do
        fields[#fields + 1] = name
        fields[#fields + 1] = number
      end
      if #fields > 0 then redis.call("HSET", key("patterns"), unpack(fields)) end
    end,
  }
end

-- Whether a link names a route or brings data, with which the end of its entry begins then: a page
-- that is known keeps what it came with. (No text in an entry has such quotes.)
local CLOSING_BRACE = 125
local function brings(raw)
  return string.byte(raw, -2) == CLOSING_BRACE
    and (string.find(raw, '",{"route":', 1, true) or string.find(raw, '",{"data":', 1, true)) ~= nil
end

-- Whether a page that is known is to be queued again, and can be.
local function repeats(crawl, page)
  page.repeated = page.again and identify(page.entry) ~= nil and await(crawl, page.entry.id)
  return page.repeated
end

-- Add them, at the `front` or the end of their queues, and count those skipped, with what the caller
-- skipped: reason -> number, or reason -> {number, example}. The first example of a reason is kept.
-- Returns new, known, then reason, number, ...
local function add(crawl, pages, skipped, front)
  for reason, value in pairs(skipped) do
    if type(value) == "table" then
      skipped[reason] = value[1]
      redis.call("HSETNX", key("examples"), "skipped_" .. reason, value[2])
    end
  end
  local function skip(reason) skipped[reason] = (skipped[reason] or 0) + 1 end
  local patterns, trapped, behind = nil, nil, nil
  if #pages.patterns > 0 and (crawl.pattern_limit or 0) > 0 then
    patterns = counted_patterns(crawl, pages.patterns)
  end

  grow(crawl)
  -- the lists keep the order in which pages came
  local lanes, touched, batches, order = {}, {}, {}, {}
  local new, old, again, queued, hosts = 0, 0, 0, counted("queued"), nil
  for _, page in ipairs(pages) do
    local entry = page.entry
    local lane = lanes[entry.lane]
    if not lane then
      lane = lane_of(entry.lane)
      if not lane.known then
        hosts = hosts or redis.call("SCARD", key("lanes"))
        if hosts >= LANES_MAX then
          local shared = string.format("shared_%.0f", page.bucket % SHARED)
          lane = lanes[shared] or lane_of(shared)
          entry.lane = shared
          page.raw = text(entry)
        end
        hosts = hosts + 1
      end
      lanes[entry.lane] = lane
      touched[#touched + 1] = lane
    end
    if crawl.depth_limit and entry.depth > crawl.depth_limit then
      skip("depth")
    elseif crawl.queue_limit and queued + new >= crawl.queue_limit then
      skip("full")
    elseif crawl.host_page_limit and lane.accepted >= crawl.host_page_limit then
      skip("lane")
    elseif patterns and page.pattern and patterns.full(page.pattern) then
      trapped = trapped or page
      skip("pattern")
    elseif not mark(crawl, page.bucket, page.value) and not repeats(crawl, page) then
      old = old + 1
      if brings(page.raw) then
        behind = behind or page
        skip("known_data")
      end
    else
      new = new + 1
      if page.repeated then
        again = again + 1
      else
        if patterns and page.pattern then patterns.note(page.pattern) end
        lane.accepted = lane.accepted + 1
      end
      lane.n = lane.n + 1
      local name = queue(entry.lane, entry.priority)
      if not batches[name] then
        batches[name] = {}
        order[#order + 1] = name
      end
      table.insert(batches[name], page.raw)
    end
  end

  if patterns then patterns.store() end
  for reason, page in pairs({ pattern = trapped, known_data = behind }) do
    local ok, fields = pcall(cjson.decode, "[0" .. page.entry.rest)
    if ok then redis.call("HSETNX", key("examples"), "skipped_" .. reason, fields[4]) end
  end
  for _, name in ipairs(order) do
    redis.call(front and "LPUSH" or "RPUSH", name, unpack(batches[name]))
  end
  if new > 0 then
    count("seen", new - again)
    if again > 0 then count("again", again) end
    count("accepted", new)
    count("queued", new)
    for _, lane in ipairs(touched) do
      if lane.n > 0 then
        change(lane, "n", lane.n)
        change(lane, "accepted", lane.accepted)
        place(crawl, lane)
        store(lane)
      end
    end
    if crawl.status == "NEW" then
      set(crawl, "started", now)
      become(crawl, "ACTIVE")
    end
  end
  local answer = { new, old }
  for reason, number in pairs(skipped) do
    if number > 0 then
      count("skipped_" .. reason, number)
      answer[#answer + 1] = reason
      answer[#answer + 1] = number
    end
  end
  return answer
end
