#!lua
-- first_of_kind: say whether a failure is the first of its kind in this crawl, so that one worker
-- of all keeps what the browser showed.
-- KEYS     1 prefix  "crawl:{name}:"
-- ARGV     1 kind    reason and host
--          2 limit   kinds at most; 0: forget this kind, as nothing could be kept
-- Uses     meta (hash), failure_kinds (set)
-- With     core
-- Returns  1 if the caller is to keep it, else 0
-- Cost     O(1)
local crawl, refusal = load()
if not crawl then return refusal end
local kind, limit = ARGV[1], tonumber(ARGV[2])
if limit == 0 then
  redis.call("SREM", key("failure_kinds"), kind)
  return 0
end
local known = redis.call("SISMEMBER", key("failure_kinds"), kind) == 1
if known or redis.call("SCARD", key("failure_kinds")) >= limit then return 0 end
return redis.call("SADD", key("failure_kinds"), kind)
