-- ARGV from 3: target (provider, tab, model), key ("" for none), and "clear" where the key rests no more, else "".
-- Returns the rest of the key and the breaker of the target, "" where nothing is known.
if lost() then return {"lost"} end
local COOLING = NAME .. ":cooling"
if ARGV[5] == "clear" then redis.call("HDEL", COOLING, ARGV[4]) end
local rest = ARGV[4] ~= "" and redis.call("HGET", COOLING, ARGV[4]) or ""
return {"done", rest or "", redis.call("HGET", NAME .. ":breakers", ARGV[3]) or ""}
