-- ARGV from 3: how many names of keys follow (provider, tab, key); then those; then names of targets (provider, tab, model).
-- Returns the rest of each key (its end, how often in a row) and the breaker of each target, "" where nothing is known.
if lost() then return {"lost"} end
local found = {}
local keys = tonumber(ARGV[3])
for number = 4, #ARGV do
  local hash = number < 4 + keys and NAME .. ":cooling" or NAME .. ":breakers"
  found[#found + 1] = redis.call("HGET", hash, ARGV[number]) or ""
end
return {"done", found}
