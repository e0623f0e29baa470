-- Remove rows that are kept elsewhere. ARGV from 3, for each: id, state, how ("" for none); left alone is one that is open, or
-- not in that state any more. What they had settled is added to what was moved. Returns how many are gone.
if lost() then return {"lost"} end
local gone = 0
for number = 3, #ARGV, 3 do
  local id, key = ARGV[number], attempt_key(ARGV[number])
  local row = redis.call("HMGET", key, "state", "how", "parts", "cost_nusd", "usage", "ended_at_s")
  local state, how = row[1], row[2] or ""
  if row[6] and state == ARGV[number + 1] and how == ARGV[number + 2] then
    local truth = state == "settled" and truth_of(row[4], row[5]) or nil
    for _, part in ipairs(lines_of(row[3])) do
      local amount = held_of(state, part[2], part[3], truth, how)
      if amount ~= "0" then redis.call("HINCRBY", MOVED, part[1], amount) end
    end
    redis.call("DEL", key)
    redis.call("ZREM", ROWS, id)
    gone = gone + 1
  end
end
return {"done", gone}
