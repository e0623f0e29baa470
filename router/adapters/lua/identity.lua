-- Returns the name of this state, which is ARGV[3] where it had none yet.
if lost() then return {"lost"} end
redis.call("HSETNX", META, "identity", ARGV[3])
return {"done", redis.call("HGET", META, "identity")}
