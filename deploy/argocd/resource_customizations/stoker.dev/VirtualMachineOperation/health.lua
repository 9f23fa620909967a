-- One command on one VM, as Stoker records it. No operation is in Git; Argo CD shows them as orphaned resources.
local health = { status = "Progressing", message = "Pending" }
if obj.status == nil or obj.status.state == nil then
  return health
end
health.message = obj.spec.type .. " " .. obj.status.state
if obj.status.message ~= nil then
  health.message = health.message .. ": " .. obj.status.message
end
if obj.status.state == "Succeeded" then
  health.status = "Healthy"
elseif obj.status.state == "Failed" then
  health.status = "Degraded"
end
return health
