-- ARGV[3]: id, ARGV[4]: until when at least.
if lost() then return {"lost"} end
local known = redis.call("ZSCORE", OPEN, ARGV[3])
if known and tonumber(known) < tonumber(ARGV[4]) then
  redis.call("ZADD", OPEN, ARGV[4], ARGV[3])
  redis.call("HSET", attempt_key(ARGV[3]), "lease_until_s", ARGV[4])
end
return {"done"}
