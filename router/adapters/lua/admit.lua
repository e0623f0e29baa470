-- Admit all or nothing. ARGV from 3: id, now, end of the lease, ticket of this call, again ("1" where an answer may have been
-- lost), how many takes, for each: window, unit, amount, at most, bucket, length in seconds (0: concurrency), "shadow" or "", "".
-- What is in shadow refuses nothing; where it was full, what it looked at is returned with the admission.
if lost() then return {"lost"} end
local id, now_s, until_s = ARGV[3], tonumber(ARGV[4]), ARGV[5]
local ticket = NAME .. ":ticket:" .. ARGV[6]
local known = ARGV[7] == "1" and redis.call("GET", ticket)
if known then return cjson.decode(known) end
local seq = whole(redis.call("HINCRBY", META, "admissions", 1))
local next = 9
local function pop() next = next + 1; return ARGV[next - 1] end
local takes, states, full, shadow = {}, {}, false, false
for number = 1, tonumber(ARGV[8]) do
  local wanted = {pop(), pop(), tonumber(pop()), tonumber(pop()), tonumber(pop()), tonumber(pop()), pop(), pop()}
  takes[number] = wanted
  if wanted[6] == 0 then
    local permits, others, held = permits_key(wanted[1]), {}, 0
    local live = redis.call("ZRANGEBYSCORE", permits, "(" .. ARGV[4], "+inf", "WITHSCORES")
    for at = 1, #live, 2 do
      local holder, amount = string.match(live[at], "^(.*)\t(%d+)$")
      if holder ~= id then
        others[#others + 1], others[#others + 2] = amount, live[at + 1]
        held = held + tonumber(amount)
      end
    end
    states[number] = others
    if held + wanted[3] > wanted[4] then
      if wanted[7] == "" then full = true else shadow = true end
    end
  else
    local counts, newest, was_set_back = counts_of(wanted[1], wanted[5], wanted[6])
    local at, held = room_of(counts, newest, wanted[5])
    states[number] = {counts, newest, was_set_back, at}
    if wanted[3] > 0 and held + wanted[3] > wanted[4] then
      if wanted[7] == "" then full = true else shadow = true end
    end
  end
end
local told = {}
if full or shadow then
  for number, wanted in ipairs(takes) do
    told[number] = wanted[6] == 0 and states[number] or flat_of(states[number][1])
  end
end
if full then return {"full", seq, told} end
local last = {}
for number, wanted in ipairs(takes) do last[wanted[1]] = number end
for number, wanted in ipairs(takes) do
  if last[wanted[1]] == number then
    if wanted[6] == 0 then
      local member = id .. "\t" .. whole(wanted[3])
      redis.call("ZREMRANGEBYSCORE", permits_key(wanted[1]), "-inf", ARGV[4])
      redis.call("ZADD", permits_key(wanted[1]), until_s, member)
      redis.call("SADD", held_key(id), wanted[1] .. "\n" .. member)
      redis.call("EXPIRE", held_key(id), 86400)
    else
      local state = states[number]
      take(wanted[1], state[4], wanted[3], state[1], state[2], state[3], wanted[6])
    end
  end
end
local answer = shadow and {"admitted", seq, told} or {"admitted", seq}
redis.call("SET", ticket, cjson.encode(answer), "EX", 60)
return answer
