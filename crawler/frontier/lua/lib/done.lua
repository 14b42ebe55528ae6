-- done: a page leaves `processing` for `done`. A library; needs core, memory, lanes, leave, seen,
-- revisits, fetching and wake.

-- The scripts finish and deregister take
-- ARGV     1 id       of the page
--          2 token    of the claim
--          3 record   line for the list done
--          4 result   JSON for the stream results, or ""
--          5 item     "1" if extract gave something
--          6 bucket   of the final URL after redirects, or "" if there were none
--          7 value    its fingerprint
--          8 latency  ms that the host took, for the automatic throttle; "": the time since the
--                     claim
--          9 status   of HTTP, or 0
--          10 nonce   "": no tickets are asked for; else see grant
--          11 sums    see grant
--          12 worker  that hands the result to the hook `after`; "": there is none
--          13 version of the definition by which the page was done, or ""
--          14 route   that the page took, or "": the crawl has none
--          15 ms      that its run took
--          16 skip    why a hook skipped the page; "": none did
--          17 change  of its item: "new", "changed", "same"
--          18 digest  of its item, eight hexadecimal digits
--          19 left    "1": its result is left out of the stream
--          20 revisit ms until it is visited again; "": it is not
--          21 doubt   "=" and the route of a page that came by HTTP and was not compared; else ""
-- Returns  verdict ("OK", "ALIAS": the final URL is another page that is known), ended (1 for the
--          call that ended the crawl); if tickets were asked for, the reply of grant follows
-- Call `remember_page` before: its answer is `fresh`.
local function remember_page(crawl, claim)
  return remember(crawl, claim.id, ARGV[18], tonumber(ARGV[9]), string.sub(ARGV[3], 1, 300))
end

local function done(crawl, claim, fresh)
  local lane = leave(claim, parse(claim.raw))
  acknowledge(claim)
  local verdict = "OK"
  if ARGV[6] ~= "" then
    if mark(crawl, tonumber(ARGV[6]), ARGV[7]) then count("seen") else verdict = "ALIAS" end
  end

  if fresh then redis.call("RPUSH", key("done"), ARGV[3]) end
  attempted(tonumber(ARGV[9]), "done", "done")
  count("done")
  count_version("done", ARGV[13])
  count_route("done", ARGV[14], ARGV[15])
  if ARGV[16] ~= "" then count_decision("skip", ARGV[16], string.sub(ARGV[3], 1, 300)) end
  if verdict == "ALIAS" then
    count("dup")
    redis.call("HSETNX", key("examples"), "dup", string.sub(ARGV[3], 1, 300))
  else
    if ARGV[5] == "1" then count("items") end
    if ARGV[17] ~= "" then count("change_" .. ARGV[17]) end
    if ARGV[19] == "1" then
      count("left_out")
    elseif ARGV[4] ~= "" then
      redis.call("XADD", key("results"), "MAXLEN", "~", crawl.results_limit, "*",
        "id", claim.id, "n", count("results"), "json", ARGV[4])
    end
    if ARGV[12] ~= "" then promise(crawl, "after-" .. claim.id, ARGV[12], claim.raw, ARGV[4]) end
  end
  if ARGV[20] ~= "" then plan_revisit(claim.id, claim.raw, tonumber(ARGV[20])) end
  if crawl.infra then redis.call("HDEL", key("meta"), "infra") end
  set(crawl, "last_done", now)

  forgive(lane)
  -- as Scrapy's AutoThrottle: half-way towards the time that the host took
  if crawl.throttle == 1 then
    local latency = tonumber(ARGV[8]) or (now - claim.claimed)
    change(lane, "auto", math.min(AUTO_MAX, math.floor((lane.auto + latency) / 2)))
  end
  place(crawl, lane)
  store(lane)
  if ARGV[21] ~= "" and verdict == "OK" then doubt(crawl, string.sub(ARGV[21], 2), claim.raw) end
  check_pages(crawl)
  local ended = over(crawl) and 1 or 0
  if ARGV[10] == "" then return { verdict, ended } end
  return { verdict, ended, unpack(next_wake(crawl, ARGV[10], ARGV[11])) }
end
