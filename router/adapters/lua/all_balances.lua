-- Returns settled (less what was granted), reserved, granted and moved of every counter.
if lost() then return {"lost"} end
return {"done", redis.call("HGETALL", SETTLED), redis.call("HGETALL", RESERVED), redis.call("HGETALL", GRANTED),
  redis.call("HGETALL", MOVED)}
