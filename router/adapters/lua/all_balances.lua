-- Returns settled and reserved of every counter.
if lost() then return {"lost"} end
return {"done", redis.call("HGETALL", SETTLED), redis.call("HGETALL", RESERVED)}
