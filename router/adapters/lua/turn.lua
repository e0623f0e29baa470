-- ARGV from 3: what ("breakers" or "cooling"), of which name, what it was, what it is to be, whether this may have been done
-- before ("1"). Returns what it was where that still stood, or what is to be stands already after a lost answer; else what stands
-- there.
if lost() then return {"lost"} end
local HASH = NAME .. ":" .. ARGV[3]
local found = redis.call("HGET", HASH, ARGV[4]) or ""
if found == ARGV[5] then
  redis.call("HSET", HASH, ARGV[4], ARGV[6])
  return {"done", found}
end
if ARGV[7] == "1" and found == ARGV[6] then return {"done", ARGV[5]} end
return {"done", found}
