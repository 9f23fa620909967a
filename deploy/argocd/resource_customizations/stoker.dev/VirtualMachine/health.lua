-- A status that follows kstatus: observedGeneration, and the conditions Ready, Reconciling and Stalled.
local health = { status = "Progressing", message = "Waiting for Stoker to look at it" }

-- It is -1 before the first look, which is the default in the CRD, and older than the object after an edit.
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health
end

local found = {}
for _, condition in ipairs(obj.status.conditions or {}) do
  found[condition.type] = condition
end

local said = found.Ready
if said ~= nil then
  health.message = said.reason .. ": " .. said.message
end
if found.Stalled ~= nil and found.Stalled.status == "True" then
  -- A person holds a paused VM back and lets it go on; whatever else stalls is wrong and waits for a change.
  if found.Stalled.reason == "Paused" then
    health.status = "Suspended"
  else
    health.status = "Degraded"
  end
elseif found.Reconciling ~= nil and found.Reconciling.status == "True" then
  health.status = "Progressing"
elseif said ~= nil and said.status == "True" then
  -- A VM that is stopped as its spec asks is Ready: Suspended would hold up every later sync wave.
  health.status = "Healthy"
end
return health
