-- Returns what people did, and the losses that they accepted, each oldest first.
if lost() then return {"lost"} end
return {"done", redis.call("LRANGE", ACTS, 0, -1), redis.call("LRANGE", NAME .. ":losses", 0, -1)}
