"""A stack's server: made, resized, refused by quota or for want of a host, as Heat and Nova have it."""

from __future__ import annotations

from simulator.place import Place, ResourceError, flavor_of
from simulator.stacks import Resource, now
from simulator.state import Flavor, Project, Server, new_id

QUOTA = "Quota exceeded for {}: Requested {}, but already used {} of {} {} (HTTP 403) (Request-ID: req-{})"
NOT_CONFIRMED = 'Confirm resize for server {} failed - Unknown status SHUTOFF due to "Unknown"'
"""Heat waits for a resized server to be ACTIVE; what was stopped never is (measured against Heat 27.0.1)."""

NO_HOST = 'Went to status ERROR due to "Message: No valid host was found. , Code: 500"'


def make_server(place: Place, resource: Resource) -> None:
    """Make the server, or change it. Raises ResourceError."""
    wanted, project = resource.properties, place.project
    flavor = flavor_of(place.cloud, wanted["flavor"])
    if flavor is None:
        raise ResourceError("NotFound", f"Flavor {wanted['flavor']} could not be found. (HTTP 404)")
    name = str(wanted.get("name") or f"server-{resource.name}")
    server = project.servers.get(resource.physical_id)
    ports = tuple(str(one.get("port")) for one in wanted.get("networks") or () if one.get("port"))
    if server is not None:
        resized, server.flavor = server.flavor is not flavor, flavor
        server.name, server.metadata, server.ports = name, wanted.get("metadata") or {}, ports
        if resized and server.status == "SHUTOFF":
            raise ResourceError("ResourceUnknownStatus", NOT_CONFIRMED.format(server.id))
        return
    _check_quota(project, flavor)
    server = Server(name, flavor, str(wanted.get("image") or ""), wanted.get("key_name"), wanted.get("metadata") or {})
    server.created, server.ports = now(), ports
    project.servers[server.id] = server
    resource.physical_id = server.id
    resource.attributes |= {"name": name}
    if not flavor.fits:
        server.status, server.power, server.fault = "ERROR", 0, "No valid host was found. "
        raise ResourceError("ResourceInError", NO_HOST)


def _check_quota(project: Project, flavor: Flavor) -> None:
    """Nova names what is exceeded first among cores, instances and RAM."""
    servers = project.servers.values()
    used = {
        "cores": (flavor.vcpus, sum(server.flavor.vcpus for server in servers)),
        "instances": (1, len(servers)),
        "ram": (flavor.ram, sum(server.flavor.ram for server in servers)),
    }
    over = [name for name, (more, before) in used.items() if before + more > project.quota[name]]
    if over:
        wanted, before = (", ".join(str(used[name][at]) for name in over) for at in (0, 1))
        limits, names = ", ".join(str(project.quota[name]) for name in over), ", ".join(over)
        raise ResourceError("Forbidden", QUOTA.format(names, wanted, before, limits, names, new_id()))


def free_server(place: Place, resource: Resource) -> None:
    """Take it away; what is gone already is no error."""
    place.project.servers.pop(resource.physical_id, None)
