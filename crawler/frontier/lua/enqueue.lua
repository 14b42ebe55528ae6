#!lua
-- enqueue: add the pages that are not known yet to the queues of their lanes.
-- KEYS     1 prefix   "crawl:{name}:"
-- ARGV     1 id       of the page on which they were found, or ""
--          2 token    of its claim; or the name of its delivery, whose hook asks for them
--          3 front    "1": at the head of their queues
--          4 skipped  JSON: reason -> number of links that the caller dropped, or [number,
--                     example], to be counted with those dropped here
--          5...       bucket (32 bits), value (decimal, below 2^63), entry; for each page, at most
--                     200. After the value stands "+" if the page is queued again, where it is
--                     known, and this generation is done with it
-- Uses     meta, counts, tokens, outbox, lane:<lane> (hashes), seen:<bucket> (intsets), lanes (set),
--          queued..., ready (lists), snoozed (zset)
-- With     core, memory, lanes, seen, links
-- Returns  new, known, then reason, number, ... of those skipped; or "STALE" (the page is no longer
--          this claim's: nothing was added)
-- Cost     O(pages), 2 ms for 200 new ones
local crawl, refusal = load()
if not crawl then return refusal end
local id, token, front = ARGV[1], ARGV[2], ARGV[3] == "1"
local linked = id ~= ""
if linked and redis.call("HGET", key("tokens"), token) ~= id
  and redis.call("HEXISTS", key("outbox"), token) == 0 then
  return "STALE"
end
local no = unwilling(crawl, linked)
if no then return no end
local pages, fault = linked_pages(5)
if not pages then return fault end
local answer = add(crawl, pages, cjson.decode(ARGV[4]), front)
-- the crawl had finished, and only its hooks are called again (see redeliver): now there are pages
if answer[1] > 0 and crawl.status == "STOPPING" and crawl.end_as == "FINISHED" then
  redis.call("HDEL", key("meta"), "end_as")
  crawl.end_as = nil
  become(crawl, "ACTIVE")
  check_pages(crawl)
end
return answer
