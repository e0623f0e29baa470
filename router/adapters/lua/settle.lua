-- ARGV from 3: id, now, cost in nano-USD, tokens, input tokens, output tokens ("" where unknown), usage as JSON ("" for
-- none), how, kind ("" for none). Idempotent: only what is not settled yet changes, and what was charged at its worst case,
-- when the truth comes. Then, where people correct a row in their name, the act as text and its id ("" for neither): only what
-- was charged at its worst case changes. Then again ("1" where an answer may have been lost), and of each counter that is
-- watched: its name, the amount, until when marks hold and for how many milliseconds they are kept ("" for ever), shares with
-- commas between them, and of a rolling budget bucket and length in seconds ("" for a counter).
-- Returns the state that the row was in ("" for no row, "too much" where a counter can't hold it), "1" where it changed, and
-- what was reached and not told before: which watch (from 0), share, settled (less what was granted) and granted of each.
if lost() then return {"lost"} end
local id, now_s, act, again = ARGV[3], ARGV[4], ARGV[12] ~= "" and ARGV[12], ARGV[14] == "1"
local key = attempt_key(id)
local row = redis.call("HMGET", key, "state", "how")
local state, how = row[1], row[2]
if not state then return {"done", "", "0", {}} end
local ticket = act and NAME .. ":ticket:" .. ARGV[13]
if act and again and redis.call("EXISTS", ticket) == 1 then return {"done", state, "1", {}} end
local at_worst = state == "expired" or (state == "settled" and how == "worst_case")
local changes
if act then
  changes = at_worst
else
  changes = state == "reserved" or state == "sent" or state == "expired"
    or (at_worst and (ARGV[10] == "reported" or ARGV[10] == "counted"))
end
if changes then
  if not end_row(id, "settled", now_s, {ARGV[5], ARGV[6], ARGV[7], ARGV[8]}, ARGV[10]) then
    return {"done", "too much", "0", {}}
  end
  redis.call("HSET", key, "usage", ARGV[9], "how", ARGV[10], "kind", ARGV[11])
end
if act and changes then
  add_act(act)
  redis.call("SET", ticket, "1", "EX", 60)
end

-- Whether settled is at least so many thousandths of a percent of the amount: products of whole numbers, each in two halves.
local function is_reached(share, settled, granted, amount)
  local function times(texts, factor)
    local high, low = sum_of(texts)
    low = low * factor
    return high * factor + math.floor(low / 1e9), low % 1e9
  end
  local has, rest = times({settled, granted}, 1e5)
  local most, least = times({amount, granted}, tonumber(share))
  if most < 0 then most, least = 0, 0 end
  return has > most or (has == most and rest >= least)
end

-- A mark is until when it holds, and whose step told of it: where that one's answer was lost, it is told again.
local function is_news(counter, share, until_s, kept_ms)
  local mark = NAME .. ":mark:" .. share .. " " .. counter
  local known = redis.call("GET", mark)
  if known then
    local holds_s, by = string.match(known, "^(%S*) (.*)$")
    if holds_s == "" or tonumber(holds_s) > tonumber(now_s) then return again and by == id end
  end
  if kept_ms == "" then
    redis.call("SET", mark, " " .. id)
  else
    redis.call("SET", mark, until_s .. " " .. id, "PX", kept_ms)
  end
  return true
end

local crossed = {}
-- What a rolling budget holds; of counters all is asked at once.
local function held(name, bucket, window_s)
  local counts, newest = counts_of(name, tonumber(bucket), tonumber(window_s))
  local _, amount = room_of(counts, newest, tonumber(bucket))
  return whole(amount)
end

local names = {}
for number = 15, #ARGV, 7 do names[#names + 1] = ARGV[number] end
local settled_by, granted_by = {}, {}
if #names > 0 then
  settled_by, granted_by = redis.call("HMGET", SETTLED, unpack(names)), redis.call("HMGET", GRANTED, unpack(names))
end
for at, name in ipairs(names) do
  local number = 8 + 7 * at
  local bucket, granted = ARGV[number + 5], granted_by[at] or "0"
  local settled = bucket == "" and (settled_by[at] or "0") or held(name, bucket, ARGV[number + 6])
  for share in string.gmatch(ARGV[number + 4], "%d+") do
    if not is_reached(share, settled, granted, ARGV[number + 1]) then break end  -- they rise
    if is_news(name, share, ARGV[number + 2], ARGV[number + 3]) then
      crossed[#crossed + 1] = {whole(at - 1), share, settled, granted}
    end
  end
end
return {"done", state, changes and "1" or "0", crossed}
