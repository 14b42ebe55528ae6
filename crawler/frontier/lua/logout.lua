#!lua flags=allow-oom
-- logout: report that the session of a page is no longer logged in. The page goes back to the head
-- of its queue, no attempt burned, and one run logs in again for all. Another page that reports the
-- same log-in later, or an older one, only goes back. A page that is logged out three times, or
-- three log-ins in a row that bring no page, are a failure of the page: reason "login".
-- KEYS     1 prefix   "crawl:{name}:"
-- ARGV     1 id       of the page
--          2 token    of the claim
--          3 version  of the log-in that its session had
-- Uses     logouts (hash); as fail
-- With     core, memory, lanes, leave, outbox
-- Returns  verdict ("OK", "REPEATED", "STALE"), ended (1 for the call that ended the crawl), 1 if
--          the page is to be tried again
-- Cost     O(P), P pages in flight (LREM)
local LOGIN_TRIES = 3
local REMEMBERED = 10000 -- pages whose log-outs are counted; then all are forgotten

local crawl, refusal = load()
if not crawl then return refusal end
local claim, verdict = proven(ARGV[1], ARGV[2])
if not claim then return { verdict, 0, 0 } end

local again = true
-- the first to report this log-in
if crawl.before == "done" and tonumber(ARGV[3]) == (crawl.login or 0) then
  local streak = 1
  if counted("done") <= (crawl.logout_done or 0) then
    streak = math.min(LOGIN_TRIES, (crawl.logout_streak or 0) + 1)
  end
  set(crawl, "logout_done", counted("done"), "logout_streak", streak)
  if redis.call("HLEN", key("logouts")) >= REMEMBERED then redis.call("DEL", key("logouts")) end
  local tries = redis.call("HINCRBY", key("logouts"), claim.id, 1)
  again = tries < LOGIN_TRIES and streak < LOGIN_TRIES and crawl.before_all == 1
  if again then
    set(crawl, "before", "none")
    count("logouts")
  else
    redis.call("HDEL", key("logouts"), claim.id)
  end
end
local sent = false -- a form that was sent is failed now
if again then
  sent = not fail(crawl, claim, "infra", "logged_out", 0, 0, 0)
  if sent then adopt(crawl, "failed-" .. claim.id, claim.worker) end
else
  fail(crawl, claim, "terminal", "login", 0, nil, 0)
  adopt(crawl, "failed-" .. claim.id, claim.worker)
end
acknowledge(claim)
check_pages(crawl)
return { "OK", over(crawl) and 1 or 0, again and not sent and 1 or 0 }
