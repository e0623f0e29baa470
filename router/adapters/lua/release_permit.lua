-- ARGV[3]: id.
if lost() then return {"lost"} end
for _, held in ipairs(redis.call("SMEMBERS", held_key(ARGV[3]))) do
  local limit, member = string.match(held, "^(.*)\n(.*)$")
  redis.call("ZREM", permits_key(limit), member)
end
redis.call("DEL", held_key(ARGV[3]))
return {"done"}
