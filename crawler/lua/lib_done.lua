-- done: a page leaves `processing` for `done`. A library; needs core, lanes, leave and seen.

-- What is said of it is in ARGV from `at` on: record, result, item, bucket, value, latency, status, as in finish.lua.
-- Returns verdict ("OK", "ALIAS"), ended (1 for the call that ended the crawl)
local function done(crawl, claim, at)
  local lane = leave(claim, parse(claim.raw))
  acknowledge(claim)
  local verdict = "OK"
  if ARGV[at + 3] ~= "" then
    if mark(crawl, tonumber(ARGV[at + 3]), ARGV[at + 4]) then count("seen") else verdict = "ALIAS" end
  end

  redis.call("RPUSH", key("done"), ARGV[at])
  attempted(tonumber(ARGV[at + 6]), "done", "done")
  count("done")
  if verdict == "ALIAS" then
    count("dup")
  else
    if ARGV[at + 2] == "1" then count("items") end
    if ARGV[at + 1] ~= "" then
      redis.call("XADD", key("results"), "MAXLEN", "~", crawl.results_limit, "*", "id", claim.id, "n", count("results"), "json", ARGV[at + 1])
    end
  end
  if crawl.infra then redis.call("HDEL", key("meta"), "infra") end
  set(crawl, "last_done", now)

  forgive(lane)
  if crawl.throttle == 1 then -- as Scrapy's AutoThrottle: half-way towards the time that the host took
    local latency = tonumber(ARGV[at + 5]) or (now - claim.claimed)
    change(lane, "auto", math.min(AUTO_MAX, math.floor((lane.auto + latency) / 2)))
  end
  place(crawl, lane)
  store(lane)
  check_pages(crawl)
  return { verdict, over(crawl) and 1 or 0 }
end
