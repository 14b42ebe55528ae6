#!lua flags=allow-oom
-- turn: begin to make room for another generation of a crawl that has ended: the URLs of the pages
-- that this one did first go among those that are known. The caller repeats it, and deletes what the
-- generation leaves; then create begins the other one. Until then the crawl goes on in no other way.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 count   URLs that are moved at most
-- Uses     meta, counts, outbox (hashes), done, known (lists)
-- With     core
-- Returns  number of URLs that were moved: while there are any, the caller calls again; or the
--          error REFUSED
-- Cost     O(count)
local crawl, refusal = load()
if not crawl then return refusal end
if not ENDED[crawl.status] then
  local why = "REFUSED the crawl is still " .. crawl.status
  return redis.error_reply(why .. "; it can be crawled again when it has ended")
end
if crawl.end_hook == 1 and crawl.end_hook_done ~= 1 then
  return redis.error_reply("REFUSED the crawl has ended, and its hook after_all is still to be called")
end
set(crawl, "turning", 1)
if redis.call("EXISTS", key("known")) == 0 then
  if redis.call("EXISTS", key("done")) == 1 then redis.call("RENAME", key("done"), key("known")) end
  return 0
end
local urls = redis.call("LPOP", key("done"), ARGV[1])
if not urls then return 0 end
redis.call("RPUSH", key("known"), unpack(urls))
return #urls
