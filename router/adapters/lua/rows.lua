-- ARGV[3]: after which sequence number, ARGV[4]: how many. Returns id and all fields of each row, oldest first.
if lost() then return {"lost"} end
local found = {}
for _, id in ipairs(redis.call("ZRANGEBYSCORE", ROWS, "(" .. ARGV[3], "+inf", "LIMIT", 0, ARGV[4])) do
  found[#found + 1] = {id, redis.call("HGETALL", attempt_key(id))}
end
return {"done", found}
