-- Reserve all or nothing. ARGV from 3: id, now, end of the lease, again ("1" where an answer may have been lost), worst in
-- nano-USD, fixed fields of the row as JSON, how many charges, for each: counter, unit, needed, amount, "shadow" or ""; how many
-- takes, for each: window, unit, amount, at most, bucket, length in seconds, "shadow" or "", "rolling" (a budget) or ""; how
-- many lapsed leases to resolve first. What is in shadow refuses nothing; where it did not fit, what it looked at is
-- returned with the grant; but more than a counter can hold is "too much".
if lost() then return {"lost"} end
local id, now_s, until_s, again, worst, fixed = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local key = attempt_key(id)
if redis.call("EXISTS", key) == 1 then
  local row = redis.call("HMGET", key, "seq", "state")
  if again == "1" and row[2] == "reserved" then
    local told = redis.call("GET", told_key(id))
    if not told then return {"granted", row[1]} end
    return {"granted", row[1], unpack(cjson.decode(told))}
  end
end
local next = 9
local function pop() next = next + 1; return ARGV[next - 1] end
local charges, takes = {}, {}
for number = 1, tonumber(pop()) do charges[number] = {pop(), pop(), pop(), pop(), pop()} end
for number = 1, tonumber(pop()) do
  takes[number] = {pop(), pop(), tonumber(pop()), tonumber(pop()), tonumber(pop()), tonumber(pop()), pop(), pop()}
end
lapse(now_s, tonumber(pop()))
local seq = redis.call("HINCRBY", META, "seq", 1)
local short, shadow, too_much = false, false, nil
local names, used, slides, settled_by, reserved_by = {}, {}, {}, {}, {}
for number, charge in ipairs(charges) do names[number] = charge[1] end
if #names > 0 then
  settled_by, reserved_by = redis.call("HMGET", SETTLED, unpack(names)), redis.call("HMGET", RESERVED, unpack(names))
end
for number, charge in ipairs(charges) do
  local settled, reserved = settled_by[number] or "0", reserved_by[number] or "0"
  used[#used + 1], used[#used + 2] = settled, reserved
  if charge[3] ~= "0" and not fits(settled, reserved, charge[3], charge[4]) then
    if charge[5] == "" then short = true else shadow = true end
    if not fits(settled, reserved, charge[3], LARGEST) then too_much = too_much or charge[3] end
  end
end
for number, wanted in ipairs(takes) do
  local counts, newest, was_set_back = counts_of(wanted[1], wanted[5], wanted[6])
  local at, held = room_of(counts, newest, wanted[5])
  slides[number] = {counts, newest, was_set_back, at, held}
  if wanted[3] > 0 and held + wanted[3] > wanted[4] then
    if wanted[7] == "" then short = true else shadow = true end
  end
end
local windows = {}
if short or shadow then
  for number, slide in ipairs(slides) do windows[number] = flat_of(slide[1]) end
end
if short then return {"refused", whole(seq), used, windows} end
if too_much then return {"too much", too_much} end
if redis.call("EXISTS", key) == 1 then return {"known"} end
-- Two budgets on one counter are the same money, not twice the money; the same of windows.
local parts, takings, most, order = {}, {}, {}, {}
for _, charge in ipairs(charges) do
  local known = most[charge[1]]
  if known == nil then order[#order + 1] = charge end
  if known == nil or not fits("0", "0", charge[3], known) then most[charge[1]] = charge[3] end
end
for _, charge in ipairs(order) do
  redis.call("HINCRBY", RESERVED, charge[1], most[charge[1]])
  parts[#parts + 1] = table.concat({charge[1], charge[2], most[charge[1]]}, "\t")
end
local largest = {}
for number, wanted in ipairs(takes) do
  if largest[wanted[1]] == nil or wanted[3] > takes[largest[wanted[1]]][3] then largest[wanted[1]] = number end
end
for number, wanted in ipairs(takes) do
  if largest[wanted[1]] == number then
    local slide = slides[number]
    take(wanted[1], slide[4], wanted[3], slide[1], slide[2], slide[3], wanted[6], wanted[8] ~= "" and tonumber(now_s))
    takings[#takings + 1] = table.concat({wanted[1], wanted[2], whole(slide[4]), whole(wanted[3])}, "\t")
  end
end
redis.call("HSET", key, "seq", whole(seq), "state", "reserved", "worst_nusd", worst, "cost_nusd", worst,
  "parts", table.concat(parts, "\n"), "takes", table.concat(takings, "\n"), "fixed", fixed,
  "reserved_at_s", now_s, "lease_until_s", until_s)
redis.call("ZADD", OPEN, until_s, id)
redis.call("ZADD", ROWS, whole(seq), id)
if not shadow then return {"granted", whole(seq)} end
redis.call("SET", told_key(id), cjson.encode({used, windows}), "EX", 60)
return {"granted", whole(seq), used, windows}
