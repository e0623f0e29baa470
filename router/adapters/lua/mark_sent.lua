-- ARGV[3]: id. Returns the state that the row is in now, or "" for no row.
if lost() then return {"lost"} end
local key = attempt_key(ARGV[3])
local state = redis.call("HGET", key, "state")
if state == "reserved" then
  redis.call("HSET", key, "state", "sent")
  state = "sent"
end
return {"done", state or ""}
