-- links: add the pages that are not known yet to the queues of their lanes. A library; needs core,
-- lanes and seen.

-- The error for a crawl that takes no pages any more; nil: it does. `linked`: from a page that is
-- in flight.
local function unwilling(crawl, linked)
  if not ENDED[crawl.status] and (crawl.status ~= "STOPPING" or linked) then return nil end
  local why = crawl.reason ~= "" and " (" .. crawl.reason .. ")" or ""
  local status = "REFUSED the crawl is " .. crawl.status .. why
  return redis.error_reply(status .. "; pages are added only after it is re-opened")
end

-- The pages in ARGV from `first` on: bucket (32 bits), value (decimal, below 2^63), entry; for each
-- page, at most 200. Else the error.
local function linked_pages(first)
  local pages = {}
  for i = first, #ARGV, 3 do
    local raw = ARGV[i + 2]
    local entry = parse(raw)
    if not entry then return nil, redis.error_reply("ERR not an entry: " .. raw) end
    local bucket = tonumber(ARGV[i])
    pages[#pages + 1] = { bucket = bucket, value = ARGV[i + 1], raw = raw, entry = entry }
  end
  return pages
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

  grow(crawl)
  -- the lists keep the order in which pages came
  local lanes, touched, batches, order = {}, {}, {}, {}
  local new, old, queued, hosts = 0, 0, counted("queued"), nil
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
    elseif not mark(crawl, page.bucket, page.value) then
      old = old + 1
    else
      new = new + 1
      lane.n, lane.accepted = lane.n + 1, lane.accepted + 1
      local name = queue(entry.lane, entry.priority)
      if not batches[name] then
        batches[name] = {}
        order[#order + 1] = name
      end
      table.insert(batches[name], page.raw)
    end
  end

  for _, name in ipairs(order) do
    redis.call(front and "LPUSH" or "RPUSH", name, unpack(batches[name]))
  end
  if new > 0 then
    count("seen", new)
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
