-- ARGV from 3: target (provider, tab, model), key ("" for none), and until when the key cools, "clear", or "".
-- Returns the breaker of the target, "" where nothing is known of it.
if lost() then return {"lost"} end
local COOLING = NAME .. ":cooling"
if ARGV[5] == "clear" then
  redis.call("HDEL", COOLING, ARGV[4])
elseif ARGV[5] ~= "" then
  local known = redis.call("HGET", COOLING, ARGV[4])
  if not known or tonumber(known) < tonumber(ARGV[5]) then redis.call("HSET", COOLING, ARGV[4], ARGV[5]) end
end
return {"done", redis.call("HGET", NAME .. ":breakers", ARGV[3]) or ""}
