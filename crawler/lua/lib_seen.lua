-- seen: which URLs are known: intsets of about FILL 63-bit numbers. When the tables there are hold that many, one with 16 times as
-- many buckets is begun, and the older ones are only asked: so an URL costs 8 to 11 bytes in a small crawl and in one of a hundred
-- million, and no intset outgrows Redis's default limit (512). A library; needs core.
-- A URL is `bucket` (32 bits of its digest) and `value` (63 other bits, as a decimal: a Lua number would lose some).

local FILL, GROWTH = 300, 16

local function bucket_name(crawl, t, bucket)
  return prefix .. "seen:" .. t .. ":" .. string.format("%.0f", bucket % (crawl.buckets * GROWTH ^ t))
end

local function known(crawl, bucket, value)
  for t = 0, crawl.tables - 1 do
    if redis.call("SISMEMBER", bucket_name(crawl, t, bucket), value) == 1 then return true end
  end
  return false
end

-- Mark a URL as known; false if it was.
local function mark(crawl, bucket, value)
  for t = 0, crawl.tables - 2 do
    if redis.call("SISMEMBER", bucket_name(crawl, t, bucket), value) == 1 then return false end
  end
  return redis.call("SADD", bucket_name(crawl, crawl.tables - 1, bucket), value) == 1
end

-- Begin another table if those that exist are full.
local function grow(crawl)
  local space = 0
  for t = 0, crawl.tables - 1 do space = space + FILL * crawl.buckets * GROWTH ^ t end
  if counted("seen") >= space then set(crawl, "tables", crawl.tables + 1) end
end
