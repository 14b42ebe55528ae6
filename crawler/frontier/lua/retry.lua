#!lua
-- retry: send dead letters back to their queues, as if they had never been tried. A crawl that has
-- ended is re-opened.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 count   letters to look at: the oldest ones
--          2...      those of them to send back, byte for byte; the others go to the end of the
--                    list: so further calls come to all, and the last one leaves them in order
-- Uses     meta, counts, reasons, examples, lane:<lane> (hashes), failed, queued..., ready (lists),
--          snoozed (zset), lanes (set)
-- With     core, memory, lanes
-- Returns  number of pages sent back
-- Cost     O(count)
local crawl, refusal = load()
if not crawl or between(crawl) then return refusal or between(crawl) end
-- A letter is [status,at,class,reason,entry], as bury wrote it: the entry begins where the encoded
-- reason ends.
local function open(letter)
  local ok, fields = pcall(cjson.decode, letter)
  local head = string.match(letter, '^%[%d+,%d+,"%l+",')
  if not ok or not head then return nil end
  local entry = parse(string.sub(letter, #head + #cjson.encode(fields[4]) + 2, -2))
  return entry, fields[4], fields[3]
end

local wanted, kept, sent = {}, {}, {}
for i = 2, #ARGV do wanted[ARGV[i]] = true end
local letters = redis.call("LRANGE", key("failed"), 0, tonumber(ARGV[1]) - 1)
for _, letter in ipairs(letters) do
  local entry, reason, class
  if wanted[letter] then entry, reason, class = open(letter) end
  if entry then
    sent[#sent + 1] = { entry = entry, reason = reason, class = class }
  else
    kept[#kept + 1] = letter
  end
end

if #kept > 0 then redis.call("RPUSH", key("failed"), unpack(kept)) end
for _, letter in ipairs(sent) do
  local entry, reason = letter.entry, letter.reason
  count("failed", -1)
  -- an earlier version counted reasons as they are
  local kind, step = kind_of(letter.class, reason)
  for _, name in ipairs({ "other", step and step .. ": other" or "", kind, reason }) do
    if redis.call("HEXISTS", key("reasons"), name) == 1 then kind = name end
  end
  if redis.call("HINCRBY", key("reasons"), kind, -1) <= 0 then
    redis.call("HDEL", key("reasons"), kind)
    redis.call("HDEL", key("examples"), "failed_" .. kind)
  end
  if entry.attempts > 0 then count("started", -1) end
  -- the caller has mended what kept the crawl out
  if reason == "login" and crawl.before_all == 1 and crawl.before == "done" then
    set(crawl, "before", "none")
    redis.call("HDEL", key("meta"), "logout_streak")
  end
  entry.attempts, entry.strikes = 0, 0
  if identify(entry) then await(crawl, entry.id) end
  if entry.sent then entry.rest = string.sub(entry.rest, 1, -#SENT - 1) .. "]" end
  local lane = lane_of(entry.lane)
  forgive(lane)
  redis.call("RPUSH", queue(entry.lane, entry.priority), text(entry))
  count("queued")
  change(lane, "n", lane.n + 1)
  place(crawl, lane)
  store(lane)
end
redis.call("LTRIM", key("failed"), #letters, -1)
local back = #sent
-- only hooks are called again (see redeliver); it would end without these pages
local for_hooks = crawl.status == "STOPPING" and crawl.end_as and crawl.end_as ~= "FAILED"
if back > 0 and (ENDED[crawl.status] or crawl.status == "DRAINING" or for_hooks) then
  redis.call("HDEL", key("meta"), "cancel", "end_as")
  become(crawl, "ACTIVE") -- unless a limit is still reached
  check_pages(crawl)
end
return back
