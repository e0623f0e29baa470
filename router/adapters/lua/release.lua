-- ARGV[3]: id, ARGV[4]: now. Only what was never sent.
if lost() then return {"lost"} end
if redis.call("HGET", attempt_key(ARGV[3]), "state") == "reserved" then
  end_row(ARGV[3], "released", ARGV[4], nil, nil)
end
return {"done"}
