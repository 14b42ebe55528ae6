#!lua flags=allow-oom
-- hold: let no page be claimed for a while: something that all pages need (browsers, a network) is
-- away.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 wait    ms from now; 0 ends the hold
--          2 reason  in words
-- Uses     meta (hash)
-- With     core, lanes, leave
-- Returns  "OK"
-- Cost     O(1)
local crawl, refusal = load()
if not crawl then return refusal end
local wait = tonumber(ARGV[1])
if wait == 0 then
  redis.call("HDEL", key("meta"), "held", "held_since", "held_reason", "infra")
else
  hold(crawl, wait, ARGV[2])
end
return "OK"
