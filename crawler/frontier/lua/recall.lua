#!lua flags=no-writes
-- recall: return what is remembered of pages.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1...      ids of pages, some hundred at most
-- Uses     meta, memory (hashes), memory:<bucket> (hashes)
-- With     core, memory
-- Returns  for each id: 1 if it is known, hours since the epoch at which it was first and last seen, 1 if it was
--          met in this generation, 1 if its last visit went well, and was no 404
-- Cost     O(pages)
local crawl, refusal = load()
if not crawl then return refusal end
local answer = {}
for i, id in ipairs(ARGV) do
  local known, first, last, met, present = known_page(crawl, id)
  local at = 5 * (i - 1)
  answer[at + 1], answer[at + 2], answer[at + 3] = known, first, last
  answer[at + 4], answer[at + 5] = met, present
end
return answer
