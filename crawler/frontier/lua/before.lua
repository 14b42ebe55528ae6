#!lua flags=allow-oom
-- before: report how before_all went, which one run does for all. The version of a log-in is when
-- it was kept, in ms: no two of a name are alike, also after the crawl was begun again.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 id      of the page that the run holds
--          2 token   of its claim
--          3 login   JSON to keep with the crawl; "": none, "failed": before_all went wrong
--          4 reason  of the failure
-- Uses     login (string); as fail
-- With     core, memory, lanes, leave
-- Returns  verdict ("OK", "REPEATED", "STALE"), ended (1 for the call that ended the crawl),
--          version of the log-in
-- Cost     O(P), P pages in flight
local crawl, refusal = load()
if not crawl then return refusal end
local id, token, login = ARGV[1], ARGV[2], ARGV[3]
local claim = held(id)
if not claim or claim.token ~= token then
  local repeated = redis.call("ZSCORE", key("acks"), id .. ":" .. token)
  return { repeated and "REPEATED" or "STALE", 0, 0 }
end
if crawl.before == "done" then return { "OK", 0, crawl.login or 0 } end

if login ~= "failed" then
  if login ~= "" then
    redis.call("SET", key("login"), login)
    set(crawl, "login", math.max(now, (crawl.login or 0) + 1))
    count("logins")
  end
  set(crawl, "before", "done")
  redis.call("HDEL", key("meta"), "before_tries")
  return { "OK", 0, crawl.login or 0 }
end

set(crawl, "before", "none")
local tries = redis.call("HINCRBY", key("meta"), "before_tries", 1)
fail(crawl, claim, "infra", ARGV[4], 0, nil, 0)
acknowledge(claim)
if tries >= BEFORE_TRIES then
  redis.call("HDEL", key("meta"), "before_tries")
  set(crawl, "end_as", "FAILED")
  become(crawl, "STOPPING", "before_all failed: " .. ARGV[4])
end
return { "OK", over(crawl) and 1 or 0, 0 }
