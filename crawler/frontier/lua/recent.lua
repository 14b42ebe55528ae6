#!lua flags=no-writes
-- recent: return the last results, each cut where it is long.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 count   results at most
--          2 size    bytes of each at most
-- Uses     results (stream)
-- With     core
-- Returns  place in the stream, bytes of the whole, its first bytes, ...; the newest first
-- Cost     O(count size)
local crawl, refusal = load()
if not crawl then return refusal end
local answer = {}
for _, entry in ipairs(redis.call("XREVRANGE", key("results"), "+", "-", "COUNT", ARGV[1])) do
  for i = 1, #entry[2], 2 do
    if entry[2][i] == "json" then
      local text = entry[2][i + 1]
      answer[#answer + 1] = entry[1]
      answer[#answer + 1] = #text
      answer[#answer + 1] = string.sub(text, 1, tonumber(ARGV[2]))
    end
  end
end
return answer
