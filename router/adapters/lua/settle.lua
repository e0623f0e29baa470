-- ARGV from 3: id, now, cost in nano-USD, tokens, input tokens, output tokens ("" where unknown), usage as JSON ("" for
-- none), how, kind ("" for none). Idempotent: only what is not settled yet, or was expired, changes. Returns the state that the
-- row was in, "" for no row, "too much" where a counter can't hold it.
if lost() then return {"lost"} end
local id, now_s = ARGV[3], ARGV[4]
local key = attempt_key(id)
local state = redis.call("HGET", key, "state")
if not state then return {"done", ""} end
if state == "reserved" or state == "sent" or state == "expired" then
  local fitted = end_row(id, "settled", now_s, {ARGV[5], ARGV[6], ARGV[7], ARGV[8]}, ARGV[10])
  if not fitted then return {"done", "too much"} end
  redis.call("HSET", key, "usage", ARGV[9], "how", ARGV[10], "kind", ARGV[11])
end
return {"done", state}
