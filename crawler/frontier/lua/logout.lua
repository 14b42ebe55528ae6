#!lua flags=allow-oom
-- logout: a page found that its session is no longer logged in. It goes back to the head of its queue, no attempt burned, and the
-- log-in is done again, by one run for all. Whoever finds out later with the same log-in, or an older one, only goes back.
-- A page that is logged out again and again, or log-ins that bring no page in between, are a failure of the page: reason "login".
-- KEYS     1 prefix   "crawl:{name}:"
-- ARGV     1 id       of the page
--          2 token    of the claim
--          3 version  of the log-in that its session had
-- Uses     as fail, and logouts (hash)
-- With     core, lanes, leave
-- Returns  verdict ("OK", "REPEATED", "STALE"), ended (1 for the call that ended the crawl), 1 if the page is to be tried again
-- Cost     O(P), P pages in flight (LREM)
local LOGIN_TRIES = 3 -- log-ins in a row without a page done, and log-ins under which one page is logged out
local REMEMBERED = 10000 -- pages of which it is known how often they were; then they are forgotten

local crawl, refusal = load()
if not crawl then return refusal end
local claim, verdict = proven(ARGV[1], ARGV[2])
if not claim then return { verdict, 0, 0 } end

local again = true
if crawl.before == "done" and tonumber(ARGV[3]) == (crawl.login or 0) then -- nobody else has seen to it
  local streak = 1
  if counted("done") <= (crawl.logout_done or 0) then streak = math.min(LOGIN_TRIES, (crawl.logout_streak or 0) + 1) end
  set(crawl, "logout_done", counted("done"), "logout_streak", streak)
  if redis.call("HLEN", key("logouts")) >= REMEMBERED then redis.call("DEL", key("logouts")) end
  again = redis.call("HINCRBY", key("logouts"), claim.id, 1) < LOGIN_TRIES and streak < LOGIN_TRIES and crawl.before_all == 1
  if again then
    set(crawl, "before", "none")
    count("logouts")
  else
    redis.call("HDEL", key("logouts"), claim.id)
  end
end
if again then
  fail(crawl, claim, "infra", "logged_out", 0, 0, 0)
else
  fail(crawl, claim, "terminal", "login", 0, nil, 0)
end
acknowledge(claim)
check_pages(crawl)
return { "OK", over(crawl) and 1 or 0, again and 1 or 0 }
