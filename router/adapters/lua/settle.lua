-- ARGV from 3: id, now, cost in nano-USD, tokens, input tokens, output tokens ("" where unknown), usage as JSON ("" for
-- none), how, kind ("" for none). Idempotent: only what is not settled yet changes, and what was charged at its worst case,
-- when the truth comes. Then, where people correct a row in their name, the act as text, its id, and again ("1" where an
-- answer may have been lost): only what was charged at its worst case changes.
-- Returns the state that the row was in ("" for no row, "too much" where a counter can't hold it), and "1" where it changed.
if lost() then return {"lost"} end
local id, now_s, act = ARGV[3], ARGV[4], ARGV[12]
local key = attempt_key(id)
local row = redis.call("HMGET", key, "state", "how")
local state, how = row[1], row[2]
if not state then return {"done", "", "0"} end
local ticket = act and NAME .. ":ticket:" .. ARGV[13]
if act and ARGV[14] == "1" and redis.call("EXISTS", ticket) == 1 then return {"done", state, "1"} end
local at_worst = state == "expired" or (state == "settled" and how == "worst_case")
local changes
if act then
  changes = at_worst
else
  changes = state == "reserved" or state == "sent" or state == "expired"
    or (at_worst and (ARGV[10] == "reported" or ARGV[10] == "counted"))
end
if not changes then return {"done", state, "0"} end
if not end_row(id, "settled", now_s, {ARGV[5], ARGV[6], ARGV[7], ARGV[8]}, ARGV[10]) then return {"done", "too much", "0"} end
redis.call("HSET", key, "usage", ARGV[9], "how", ARGV[10], "kind", ARGV[11])
if act then
  add_act(act)
  redis.call("SET", ticket, "1", "EX", 60)
end
return {"done", state, "1"}
