-- ARGV from 3: counters. Returns settled (less what was granted), reserved, granted and moved of each.
if lost() then return {"lost"} end
local found = {}
for number = 3, #ARGV do
  for _, sums in ipairs({SETTLED, RESERVED, GRANTED, MOVED}) do
    found[#found + 1] = redis.call("HGET", sums, ARGV[number]) or "0"
  end
end
return {"done", found}
