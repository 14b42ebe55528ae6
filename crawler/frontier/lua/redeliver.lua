#!lua
-- redeliver: put dead letters of deliveries back into the outbox, as if no hook had been tried. A
-- crawl that has ended begins no page by it, and ends again, as it did, when they are delivered.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 count   letters to put back at most: the oldest ones
-- Uses     meta, counts, outbox (hashes), outbox_due (zset), undelivered (list)
-- With     core, outbox
-- Returns  number of deliveries that wait again
-- Cost     O(count)
local crawl, refusal = load()
if not crawl or between(crawl) then return refusal or between(crawl) end
local letters = redis.call("LRANGE", key("undelivered"), 0, tonumber(ARGV[1]) - 1)
for _, letter in ipairs(letters) do
  -- that of the end follows the new end by itself, and what could not be read is lost
  if not string.find(letter, '^%[%d+,"after_all",') and not string.find(letter, ',null,null,"') then
    -- the entry and what is handed are kept byte for byte, so they are cut out by their lengths
    local name, entry_size, size, at =
      string.match(letter, '^%[%d+,"([%w-]+)",%d+,(%d+),(%d+),()')
    local entry = string.sub(letter, at, at + entry_size - 1)
    at = at + entry_size + 1
    promise(crawl, name, "", entry, string.sub(letter, at, at + size - 1))
  end
  count("undelivered", -1)
end
redis.call("LTRIM", key("undelivered"), #letters, -1)
-- no page is begun: it ends as it did, once the hooks were called
if #letters > 0 and ENDED[crawl.status] then
  set(crawl, "end_as", crawl.status)
  become(crawl, "STOPPING", crawl.reason)
end
return #letters
