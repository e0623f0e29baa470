-- ARGV from 3: counters. Returns settled and reserved of each.
if lost() then return {"lost"} end
local found = {}
for number = 3, #ARGV do
  found[#found + 1] = redis.call("HGET", SETTLED, ARGV[number]) or "0"
  found[#found + 1] = redis.call("HGET", RESERVED, ARGV[number]) or "0"
end
return {"done", found}
