-- Each new value is one attempt at what waits or failed for good.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["stoker.dev/retry"] = os.date("!%Y-%m-%dT%XZ")
return obj
