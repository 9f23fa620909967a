-- Each new value is one restart; Stoker never asks twice for the same.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["stoker.dev/restart"] = os.date("!%Y-%m-%dT%XZ")
return obj
