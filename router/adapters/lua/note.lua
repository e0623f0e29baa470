-- ARGV from 3: model (provider, tab, name), key ("" for none), what: "answered", "failed" (the model) or "noted", and until
-- when the key cools ("0": it does not).
if lost() then return {"lost"} end
local HEALTH = NAME .. ":health"
local function clear(name) redis.call("HDEL", HEALTH, name .. "\tfailures", name .. "\tcooling") end
if ARGV[5] == "answered" then
  clear(ARGV[3])
  if ARGV[4] ~= "" then clear(ARGV[4]) end
  return {"done"}
end
if ARGV[5] == "failed" then redis.call("HINCRBY", HEALTH, ARGV[3] .. "\tfailures", 1) end
if ARGV[6] ~= "0" then
  local known = redis.call("HGET", HEALTH, ARGV[4] .. "\tcooling")
  if not known or tonumber(known) < tonumber(ARGV[6]) then
    redis.call("HSET", HEALTH, ARGV[4] .. "\tcooling", ARGV[6])
  end
end
return {"done"}
