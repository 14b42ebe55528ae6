-- seen: the known URLs: a hash table that grows one bucket at a time (linear hashing), whose
-- buckets are intsets of 63-bit numbers. When there are FILL numbers per bucket, the next bucket is
-- split in two. So a URL costs about 9 bytes and one look into one bucket, among ten thousand and
-- among a hundred million, and no intset outgrows Redis's default limit (512: a bucket that waits
-- for its turn holds 2 x FILL on average). A library; needs core. A URL is `bucket` (32 bits of its
-- digest) and `value` (63 other bits, as a decimal: a Lua number would lose some). The first
-- chooses among the first buckets, the last digits of the second among those
-- that were split off.

local FILL = 192
local SPLITS = 2 -- in one call, which adds 200 URLs at most

local function bucket_key(number) return string.format("%sseen:%.0f", prefix, number) end

-- How many buckets this round began with, and which is split next.
local size, after
local function round(crawl)
  if after ~= crawl.splits then
    local all = crawl.buckets + crawl.splits
    size, after = crawl.buckets, crawl.splits
    while 2 * size <= all do size = 2 * size end
  end
  return size, crawl.buckets + crawl.splits - size
end

-- The place of a value among buckets without end; modulo their number it is its bucket.
local function place_of(crawl, bucket, value)
  return bucket % crawl.buckets + crawl.buckets * tonumber(string.sub(value, -9))
end

local function home(crawl, bucket, value)
  local size, next_ = round(crawl)
  local place = place_of(crawl, bucket, value)
  local number = place % size
  if number < next_ then number = place % (2 * size) end
  return bucket_key(number)
end

local function known(crawl, bucket, value)
  return redis.call("SISMEMBER", home(crawl, bucket, value), value) == 1
end

-- Mark a URL as known; false if it was.
local function mark(crawl, bucket, value)
  return redis.call("SADD", home(crawl, bucket, value), value) == 1
end

local function split(crawl)
  local size, number = round(crawl)
  local parts = { [number] = {}, [number + size] = {} }
  for _, value in ipairs(redis.call("SMEMBERS", bucket_key(number))) do
    table.insert(parts[place_of(crawl, number, value) % (2 * size)], value)
  end
  redis.call("DEL", bucket_key(number))
  for to, values in pairs(parts) do
    for i = 1, #values, 1000 do
      redis.call("SADD", bucket_key(to), unpack(values, i, math.min(i + 999, #values)))
    end
  end
  set(crawl, "splits", crawl.splits + 1)
end

-- Split buckets if they are full.
local function grow(crawl)
  local seen = counted("seen")
  for _ = 1, SPLITS do
    if seen <= FILL * (crawl.buckets + crawl.splits) then return end
    split(crawl)
  end
end
