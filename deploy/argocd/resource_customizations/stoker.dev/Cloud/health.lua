-- A status that follows kstatus: observedGeneration, and the conditions Ready and Reconciling.
local health = { status = "Progressing", message = "Waiting for Stoker to look at it" }

-- It is -1 before the first look, which is the default in the CRD, and older than the object after an edit.
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health
end

-- Nobody calls a Cloud before a Tenant uses it, and a Tenant in a later sync wave must not wait for that.
health.status = "Healthy"
health.message = "No Tenant uses it yet"
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type == "Ready" then
    health.message = condition.reason .. ": " .. condition.message
    if condition.status ~= "True" then
      health.status = "Progressing"
    end
  end
end
return health
