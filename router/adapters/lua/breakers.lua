-- Returns every target and its breaker, one after the other.
if lost() then return {"lost"} end
return {"done", redis.call("HGETALL", NAME .. ":breakers")}
