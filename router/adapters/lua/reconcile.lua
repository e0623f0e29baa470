-- ARGV[3]: now, ARGV[4]: how many at most.
if lost() then return {"lost"} end
return {"done", lapse(ARGV[3], tonumber(ARGV[4]))}
