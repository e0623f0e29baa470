-- What every script begins with. KEYS[1] is the name of the state, in braces, so that all its keys lie in one slot.
-- ARGV[1] is the epoch that the caller knows, ARGV[2] the highest sequence number that it has seen.
local NAME = KEYS[1]
local META, SETTLED, RESERVED = NAME .. ":meta", NAME .. ":settled", NAME .. ":reserved"
-- SETTLED is less what people granted, so that reservations need not know of grants; MOVED is what rows had settled that were
-- moved out since.
local GRANTED, MOVED, ACTS = NAME .. ":granted", NAME .. ":moved", NAME .. ":acts"
local OPEN, ROWS = NAME .. ":open", NAME .. ":rows"
local ROLLING = NAME .. ":rolling"
local BUCKETS, KEPT = 60, 121
local LARGEST, MOST, EXACT = "9223372036854775807", "4611686018427387904", 2 ^ 53

local function attempt_key(id) return NAME .. ":attempt:" .. id end
local function window_key(limit) return NAME .. ":window:" .. limit end
local function permits_key(limit) return NAME .. ":permits:" .. limit end
local function held_key(id) return NAME .. ":held:" .. id end
local function told_key(id) return NAME .. ":told:" .. id end

-- A store that lost rows must not hand out what they held. Where it is an older copy of itself it is closed to all, for those
-- who know less can't see it; where it is another state than the caller knows, to the caller, who may be at the wrong server.
local function lost()
  local known = redis.call("HMGET", META, "epoch", "seq", "closed")
  if known[1] ~= ARGV[1] then
    if redis.call("SISMEMBER", NAME .. ":accepted", ARGV[1]) == 0 then redis.call("SADD", NAME .. ":missed", ARGV[1]) end
    return true
  end
  if known[3] then return true end
  if (tonumber(known[2]) or 0) >= tonumber(ARGV[2]) then return false end
  redis.call("HSET", META, "closed", "1")
  return true
end

-- Numbers of Lua are exact to 2^53, amounts of money to 2^63: they are kept as text and compared in two halves, which have the
-- sign of the whole.
local function halves(text)
  local length = #text
  if length <= 9 then return 0, tonumber(text) end
  local high, low = tonumber(string.sub(text, 1, length - 9)) or 0, tonumber(string.sub(text, length - 8))
  if string.sub(text, 1, 1) == "-" then low = -low end
  return high, low
end

-- The sum of some amounts: its high half, and its low half, which is never below 0.
local function sum_of(texts)
  local high, low = 0, 0
  for _, text in ipairs(texts) do
    local above, below = halves(text)
    high, low = high + above, low + below
  end
  return high + math.floor(low / 1e9), low % 1e9
end

local function plus(one, other)
  local high, low = sum_of({one, other})
  if high == 0 then return string.format("%.0f", low) end
  return string.format("%.0f%09.0f", high, low)
end

-- Whether settled + reserved + needed <= amount + spare.
local function fits(settled, reserved, needed, amount, spare)
  local high, low = sum_of({settled, reserved, needed})
  local most, rest = sum_of({amount, spare or "0"})
  return high < most or (high == most and low <= rest)
end

local function minus(text)
  if text == "0" then return "0" end
  if string.sub(text, 1, 1) == "-" then return string.sub(text, 2) end
  return "-" .. text
end

local function whole(number) return string.format("%.0f", number) end

-- --- Sliding windows: counts per bucket, as in router/decide/sliding.py ------------------------------------------------

-- The counts of a window by bucket, and its newest bucket; nothing where the clock was set back.
local function counts_of(limit, bucket, window_s)
  local counts, newest = {}, nil
  local found = redis.call("HGETALL", window_key(limit))
  for at = 1, #found, 2 do
    local place = tonumber(found[at])
    counts[place] = tonumber(found[at + 1])
    if newest == nil or place > newest then newest = place end
  end
  if newest and (newest - bucket) * window_s / BUCKETS > math.max(2 * window_s, 600) then
    return {}, nil, true
  end
  return counts, newest, false
end

-- Where an event at `bucket` counts, and what the window holds for it.
local function room_of(counts, newest, bucket)
  local at = math.max(bucket, (newest or bucket) - BUCKETS)
  local held = 0
  for place, count in pairs(counts) do
    if place >= at - BUCKETS then held = held + count end
  end
  return at, held
end

-- Buckets and their counts, one after the other, as an answer.
local function flat_of(counts)
  local flat = {}
  for place, count in pairs(counts) do flat[#flat + 1], flat[#flat + 2] = whole(place), whole(count) end
  return flat
end

-- The windows of budgets are money: no server that drops what has an end may drop them. So they have none, and are forgotten
-- here, a few at a time, when they are long over.
local function keep_until(key, over_s, now_s)
  redis.call("PERSIST", key)
  redis.call("ZADD", ROLLING, string.format("%.3f", over_s), key)
  for _, gone in ipairs(redis.call("ZRANGEBYSCORE", ROLLING, "-inf", now_s, "LIMIT", 0, 4)) do
    redis.call("DEL", gone)
    redis.call("ZREM", ROLLING, gone)
  end
end

-- `rolling_now_s`: now, where the window is that of a budget.
local function take(limit, at, amount, counts, newest, was_set_back, window_s, rolling_now_s)
  local key = window_key(limit)
  if was_set_back then redis.call("DEL", key) end
  redis.call("HSET", key, whole(at), whole(math.min(EXACT, (counts[at] or 0) + amount)))
  if newest and at > newest then
    for place in pairs(counts) do
      if place <= at - KEPT then redis.call("HDEL", key, whole(place)) end
    end
  end
  local lasts_s = math.ceil(4 * window_s + 1200)
  if rolling_now_s then
    keep_until(key, rolling_now_s + lasts_s, rolling_now_s)
  else
    redis.call("PEXPIRE", key, whole(lasts_s * 1000))
  end
end

local function correct(limit, at, by)
  if by == 0 then return end
  local key = window_key(limit)
  local count = redis.call("HGET", key, at)
  if count then redis.call("HSET", key, at, whole(math.min(EXACT, math.max(0, tonumber(count) + by)))) end
end

-- --- Rows -------------------------------------------------------------------------------------------------------------

-- Lines of fields apart by tabs: parts are counter, unit, needed; takes are window, unit, bucket, amount.
local function lines_of(text)
  local lines = {}
  for line in string.gmatch(text, "[^\n]+") do
    local fields = {}
    for field in string.gmatch(line, "[^\t]+") do fields[#fields + 1] = field end
    lines[#lines + 1] = fields
  end
  return lines
end

-- What a row in `state` holds of `needed` in `unit`, settled or reserved. `truth` is nil where it was never settled, else
-- {cost, tokens, input, output}, each "" where unknown.
local function held_of(state, unit, needed, truth, how)
  if state == "released" then return "0" end
  if state ~= "settled" then return needed end
  if how == "unsent" then return "0" end
  if unit == "requests" then return needed end
  local known = truth[({nusd = 1, tokens = 2, input_tokens = 3, output_tokens = 4})[unit]]
  if known ~= "" then return known end
  if how == "nothing" then return "0" end
  return needed
end

-- The truth of a row that was settled before, from its cost and its usage.
local function truth_of(cost, usage)
  if not usage or usage == "" then return {cost, "", "", ""} end
  local input = string.match(usage, '"input_tokens":(%d+)') or "0"
  local output = string.match(usage, '"output_tokens":(%d+)') or "0"
  return {cost, plus(input, output), input, output}
end

-- Put an act of people on record, with a number of its own.
local function add_act(text)
  local seq = redis.call("HINCRBY", META, "seq", 1)
  redis.call("RPUSH", ACTS, whole(seq) .. "\n" .. text)
end

-- End a row, or correct one that had ended: `truth` is nil where nothing is known of it. False, and nothing is done, where a
-- counter or a row can't hold that.
local function end_row(id, state, now_s, truth, how)
  local key = attempt_key(id)
  local row = redis.call("HMGET", key, "state", "worst_nusd", "parts", "takes", "cost_nusd", "usage", "how")
  local before, known = row[1], nil
  if before == "settled" then known = truth_of(row[5], row[6]) end
  local function now_of(unit, needed) return held_of(state, unit, needed, truth, how) end
  local function was_of(unit, needed) return held_of(before, unit, needed, known, row[7]) end
  if truth and not fits("0", "0", truth[1], MOST) then return false end
  local parts = lines_of(row[3])
  for _, part in ipairs(parts) do
    local now, was = now_of(part[2], part[3]), was_of(part[2], part[3])
    if not fits("0", "0", now, was) then
      local settled, reserved = redis.call("HGET", SETTLED, part[1]), redis.call("HGET", RESERVED, part[1])
      if not fits(settled or "0", reserved or "0", now, MOST, was) then return false end
    end
  end
  local was_in = (before == "expired" or before == "settled") and SETTLED or RESERVED
  for _, part in ipairs(parts) do
    local counter, unit, needed = part[1], part[2], part[3]
    redis.call("HINCRBY", was_in, counter, minus(was_of(unit, needed)))
    redis.call("HINCRBY", SETTLED, counter, now_of(unit, needed))
  end
  for _, taken in ipairs(lines_of(row[4])) do
    correct(taken[1], taken[3], tonumber(now_of(taken[2], taken[4])) - tonumber(was_of(taken[2], taken[4])))
  end
  local cost = state == "released" and "0" or (truth and truth[1]) or row[2]
  local seq = redis.call("HINCRBY", META, "seq", 1)
  redis.call("HSET", key, "state", state, "cost_nusd", cost, "ended_at_s", now_s, "ended_seq", whole(seq))
  redis.call("ZREM", OPEN, id)
  return true
end

-- Resolve up to `at_most` leases that ended by `now_s`, oldest first.
local function lapse(now_s, at_most)
  local found = redis.call("ZRANGEBYSCORE", OPEN, "-inf", now_s, "LIMIT", 0, at_most)
  for _, id in ipairs(found) do
    local state = redis.call("HGET", attempt_key(id), "state")
    end_row(id, state == "sent" and "expired" or "released", now_s, nil, nil)
  end
  return #found
end
