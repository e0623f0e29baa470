-- Let a budget spend more or less in one window. ARGV from 3: counter, amount (below 0: less), the act as text, its id, again
-- ("1" where an answer may have been lost). Returns "too much" where a counter can't hold it, else settled (less what was
-- granted), reserved, granted and moved.
if lost() then return {"lost"} end
local counter, amount, act, ticket = ARGV[3], ARGV[4], ARGV[5], NAME .. ":ticket:" .. ARGV[6]
local settled, granted = redis.call("HGET", SETTLED, counter) or "0", redis.call("HGET", GRANTED, counter) or "0"
if not (ARGV[7] == "1" and redis.call("EXISTS", ticket) == 1) then
  local less = minus(amount)
  if not fits(granted, "0", amount, MOST) or not fits(minus(granted), "0", less, MOST)
    or not fits(settled, redis.call("HGET", RESERVED, counter) or "0", less, LARGEST) then
    return {"done", "too much"}
  end
  redis.call("HINCRBY", SETTLED, counter, less)
  redis.call("HINCRBY", GRANTED, counter, amount)
  add_act(act)
  redis.call("SET", ticket, "1", "EX", 60)
end
local found = {}
for _, sums in ipairs({SETTLED, RESERVED, GRANTED, MOVED}) do
  found[#found + 1] = redis.call("HGET", sums, counter) or "0"
end
return {"done", "", found}
