-- ARGV from 3: target (provider, tab, model), what its breaker was, what it is to be, whether this may have been done before
-- ("1"). Returns what it was where that still stood, or what is to be stands already after a lost answer; else what stands there.
if lost() then return {"lost"} end
local BREAKERS = NAME .. ":breakers"
local found = redis.call("HGET", BREAKERS, ARGV[3]) or ""
if found == ARGV[4] then
  redis.call("HSET", BREAKERS, ARGV[3], ARGV[5])
  return {"done", found}
end
if ARGV[6] == "1" and found == ARGV[5] then return {"done", ARGV[4]} end
return {"done", found}
