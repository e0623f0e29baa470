-- ARGV[3]: id. Returns all fields of the row, none where there is no such row.
if lost() then return {"lost"} end
return {"done", redis.call("HGETALL", attempt_key(ARGV[3]))}
