#!lua flags=allow-oom
-- resume: hand out pages again.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 reopen  "1": also if the crawl has ended
-- Uses     meta, counts (hashes), processing (list), delayed, producers (zsets)
-- With     core
-- Returns  the status that the crawl has now, ended (1 if nothing was left, so that this call ended
--          it); or the error REFUSED
-- Cost     O(1)
local crawl, refusal = load()
if not crawl or between(crawl) then return refusal or between(crawl) end
if ENDED[crawl.status] and ARGV[1] ~= "1" then
  local why = "REFUSED the crawl has ended (" .. crawl.status .. ")"
  return redis.error_reply(why .. "; it goes on only if it is re-opened")
end
if crawl.status == "PAUSED" or crawl.status == "STOPPING" or ENDED[crawl.status] then
  redis.call("HDEL", key("meta"), "cancel", "end_as", "paused_from", "paused_by", "paused_at")
  crawl.cancel, crawl.end_as = nil, nil
  if counted("accepted") == 0 then
    become(crawl, "NEW")
  else
    if not crawl.started then set(crawl, "started", now) end
    become(crawl, "ACTIVE") -- unless a limit is still reached
    check_time(crawl)
    check_pages(crawl)
  end
end
local ended = over(crawl) and 1 or 0
if ended == 1 then ended_by_client(crawl) end
return { crawl.status, ended }
