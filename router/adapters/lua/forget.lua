-- ARGV from 3: counters of windows that are over. Dropped are those that no row holds anything of; returns how many.
if lost() then return {"lost"} end
local gone = 0
for number = 3, #ARGV do
  local counter = ARGV[number]
  local function of(sums) return redis.call("HGET", sums, counter) or "0" end
  local high, low = sum_of({of(SETTLED), of(GRANTED), minus(of(MOVED))})
  if high == 0 and low == 0 and of(RESERVED) == "0" then
    local known = 0
    for _, sums in ipairs({SETTLED, RESERVED, GRANTED, MOVED}) do known = known + redis.call("HDEL", sums, counter) end
    if known > 0 then gone = gone + 1 end
  end
end
return {"done", gone}
