local going = obj.metadata.deletionTimestamp ~= nil
local stopped = obj.spec.powerState == "Stopped"
local ready = false
if obj.status ~= nil then
  for _, condition in ipairs(obj.status.conditions or {}) do
    ready = ready or (condition.type == "Ready" and condition.status == "True")
  end
end

local actions = {}
actions["start"] = { ["disabled"] = going or not stopped }
actions["stop"] = { ["disabled"] = going or stopped }
actions["restart"] = { ["disabled"] = going or stopped }
-- A deletion that failed is tried again as well.
actions["retry"] = { ["disabled"] = ready and not going }
return actions
