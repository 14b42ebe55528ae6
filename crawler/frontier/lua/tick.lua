#!lua flags=allow-oom
-- tick: do everything that no run is there to do: take back the pages of dead workers, forget
-- wake-ups and seed loaders that were lost, see what has become due, end what is over, and issue
-- the missing wake-ups. Any one caller suffices, and a second call does no harm.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 limit   pages to take back at most
--          2 rand    a random number in [0,1), for the back-off
--          3 nonce   random; the tickets are named after it
--          4 able    "0": the caller cannot run this crawl. No wake-up is issued, and no hook is
--                    asked for: a caller who can does that
--          5 lost    ms: wake-ups that were granted so long ago are lost, with the broker that had
--                    them; "": those whose time is over are
-- Uses     tickets (zset), history (list); as fail
-- With     core, memory, lanes, leave, revisits, wake, outbox
-- Returns  number of pages taken back, ended (1 if the caller should call the hook for the end),
--          status, ms since the last claim while pages wait (or ""), ms of the hold (or ""), 1 if
--          keys that belong together do not agree (the caller repairs them), ms for which the
--          oldest wake-up has been on its way (or ""), then the tickets
-- Cost     O(k log n + k P), k pages taken back, P in flight; O(t) for t tickets with `lost`

-- The course of the counts over the last hour, or longer where ticks are rarer: one sample for the
-- ticks of all workers.
local SAMPLE_GAP, SAMPLES = 9500, 360

local crawl, refusal = load()
if not crawl then return without(refusal, { 0, 0, "", "", "", 0, "" }) end

local function sample()
  local gap = now - (crawl.sampled or 0)
  if gap >= 0 and gap < SAMPLE_GAP then return end
  set(crawl, "sampled", now)
  redis.call("RPUSH", key("history"), string.format("%.0f %d %d %d %d %d", now, counted("done"),
    counted("failed"), counted("queued"), delayed(), processing()))
  redis.call("LTRIM", key("history"), -SAMPLES, -1)
end

local ended, able = 0, ARGV[4] ~= "0"
if ENDED[crawl.status] then
  -- The run that ended the crawl may have died before it could call the hook.
  local pending = crawl.end_hook_done ~= 1
  if pending and crawl.end_hook ~= 1 and not able then
    set(crawl, "end_hook_done", 1) -- there is none to call
  elseif pending and able and now - (crawl.end_hook_asked or now) >= END_GRACE then
    local attempts = crawl.end_hook_asks or 0
    if attempts >= (crawl.after_attempts or 5) then
      give_up_end_hook(crawl, "its process died")
    else
      set(crawl, "end_hook_asked", now, "end_hook_asks", attempts + 1)
      ended = 1
    end
  end
  local tickets = able and delivery_tickets(crawl, TICKET_LIFE) or {}
  return { 0, ended, crawl.status, "", "", 0, "", unpack(tickets) }
end

-- lost: without it, no time limit would ever be reached
if RUNNING[crawl.status] and not crawl.active_since then
  set(crawl, "active_since", crawl.started or now)
end
local reaped = reap(crawl, tonumber(ARGV[1]), tonumber(ARGV[2]))
-- lost, or the broker is backed up: fewer of them then
if redis.call("ZREMRANGEBYSCORE", key("tickets"), "-inf", now) > 0 then
  set(crawl, "ticket_life", math.min(TICKET_LIFE_MAX, 2 * (crawl.ticket_life or TICKET_LIFE)))
end
if ARGV[5] ~= "" then forget_tickets(now - tonumber(ARGV[5])) end
redis.call("ZREMRANGEBYSCORE", key("producers"), "-inf", now)
check_time(crawl)
sample()
if over(crawl) then
  if not able then ended_by_client(crawl) end
  return { reaped, able and 1 or 0, crawl.status, "", "", 0, "" }
end

-- A page without a claim, or a delivery that is never due, would keep the crawl from its end.
local pages, deliveries = processing(), redis.call("HLEN", key("outbox"))
local agree = redis.call("HLEN", key("inflight")) == pages
  and redis.call("HLEN", key("tokens")) == pages and redis.call("ZCARD", key("leases")) == pages
  and redis.call("ZCARD", key("outbox_due")) == deliveries
local damaged = agree and 0 or 1

local tickets, silent, hold_ms, waits = {}, "", "", ""
if crawl.status == "ACTIVE" or crawl.status == "DRAINING" then
  promote(crawl)
  come_again(crawl)
  if eligible(crawl) > 0 then
    silent = now - math.max(crawl.last_claim or 0, crawl.active_since or now)
  end
  local oldest = redis.call("ZRANGE", key("tickets"), 0, 0)[1]
  local granted = oldest and tonumber(string.match(oldest, "^%x+%-(%d+)%-%d+$"))
  if granted then waits = math.max(0, now - granted) end
  if able then tickets = grant(crawl, ARGV[3]) end
end
local deliveries_due = able and delivery_tickets(crawl, TICKET_LIFE) or {}
for _, ticket in ipairs(deliveries_due) do tickets[#tickets + 1] = ticket end
if (crawl.held or 0) > now then hold_ms = crawl.held - now end
return { reaped, 0, crawl.status, silent, hold_ms, damaged, waits, unpack(tickets) }
