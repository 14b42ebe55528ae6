#!lua flags=allow-oom
-- seeded: note that every seed of a definition was queued; unless another crawl has the name since.
-- KEYS     1 prefix   "crawl:{name}:"
-- ARGV     1 created  when the crawl was created whose seeds they are, as `meta` has it
--          2 digest   of the definition
-- Uses     meta (hash), seeds (string)
-- With     core
-- Returns  "OK"; or the error REFUSED
-- Cost     O(1)
local crawl, refusal = load()
if not crawl then return refusal end
if (redis.call("HGET", key("meta"), "created") or "") ~= ARGV[1] then
  return redis.error_reply("REFUSED another crawl has this name since")
end
redis.call("SET", key("seeds"), ARGV[1] .. " " .. ARGV[2])
return "OK"
