-- ARGV[3]: id, ARGV[4]: until when at least.
if lost() then return {"lost"} end
for _, held in ipairs(redis.call("SMEMBERS", held_key(ARGV[3]))) do
  local limit, member = string.match(held, "^(.*)\n(.*)$")
  local known = redis.call("ZSCORE", permits_key(limit), member)
  if known and tonumber(known) < tonumber(ARGV[4]) then
    redis.call("ZADD", permits_key(limit), ARGV[4], member)
  end
end
return {"done"}
