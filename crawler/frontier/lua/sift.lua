#!lua flags=allow-oom
-- sift: take the first URLs off the list of those that are known, and put back, at its end, those
-- whose pages the crawl still knows.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1...      ids of the pages of the first URLs, some hundred at most; "": it is not put back
-- Uses     meta, memory (hashes), memory:<bucket> (hashes), known (list)
-- With     core, memory
-- Returns  number of URLs that are put back
-- Cost     O(pages)
local crawl, refusal = load()
if not crawl then return refusal end
local kept = {}
for i, url in ipairs(redis.call("LPOP", key("known"), #ARGV) or {}) do
  if ARGV[i] ~= "" and known_page(crawl, ARGV[i]) == 1 then kept[#kept + 1] = url end
end
if #kept > 0 then redis.call("RPUSH", key("known"), unpack(kept)) end
return #kept
