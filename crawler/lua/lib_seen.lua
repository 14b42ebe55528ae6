-- seen: which URLs are known: intsets of about FILL 63-bit numbers. When the tables there are hold that many, one with 16 times as
-- many buckets is begun, and the older ones are only asked: so an URL costs 8 to 11 bytes in a small crawl and in one of a hundred
-- million, and no intset outgrows Redis's default limit (512). A library; needs core.
-- A URL is `bucket` (32 bits of its digest) and `value` (63 other bits, as a decimal: a Lua number would lose some).

local FILL, GROWTH = 300, 16

local tables -- of each table: the number of its buckets, and how the names of its keys begin
local function tables_of(crawl)
  if not tables then
    tables = {}
    for t = 1, crawl.tables do tables[t] = { size = crawl.buckets * GROWTH ^ (t - 1), name = prefix .. "seen:" .. (t - 1) .. ":" } end
  end
  return tables
end

local function bucket_name(t, bucket) return t.name .. string.format("%d", bucket % t.size) end

local function known(crawl, bucket, value)
  for _, t in ipairs(tables_of(crawl)) do
    if redis.call("SISMEMBER", bucket_name(t, bucket), value) == 1 then return true end
  end
  return false
end

-- Mark a URL as known; false if it was.
local function mark(crawl, bucket, value)
  local all = tables_of(crawl)
  for i = 1, #all - 1 do
    if redis.call("SISMEMBER", bucket_name(all[i], bucket), value) == 1 then return false end
  end
  return redis.call("SADD", bucket_name(all[#all], bucket), value) == 1
end

-- Begin another table if those that exist are full.
local function grow(crawl)
  local space = 0
  for _, t in ipairs(tables_of(crawl)) do space = space + FILL * t.size end
  if counted("seen") >= space then
    set(crawl, "tables", crawl.tables + 1)
    tables = nil
  end
end
