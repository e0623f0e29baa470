-- ARGV from 3: names (provider, tab, name). Returns failures and end of cooling of each, "" where it was never noted.
if lost() then return {"lost"} end
local found = {}
for number = 3, #ARGV do
  found[#found + 1] = redis.call("HGET", NAME .. ":health", ARGV[number] .. "\tfailures") or ""
  found[#found + 1] = redis.call("HGET", NAME .. ":health", ARGV[number] .. "\tcooling") or ""
end
return {"done", found}
