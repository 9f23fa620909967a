"""The typed client: virtual machines for a back end or a CI job, as ordinary writes to the Kubernetes API.

    from stoker.client import Client, VirtualMachineSpec

    with Client(namespace="team-a") as client:
        made = client.create_vm(VirtualMachineSpec(template="ubuntu-basic@v1", image="cirros", flavor="m1.tiny"))
        print(client.wait_until(made.vm.metadata.name).status.private_ip)

It needs the extra `client` (`pip install 'stoker[client]'`). docs/client.md is the manual.
"""

from stoker.api.parts import IngressRule, Protocol, SecretKeyRef, UserDataSource, Volume
from stoker.api.virtualmachine import PowerState, VirtualMachine, VirtualMachineSpec
from stoker.client.client import Client, Created
from stoker.client.errors import StalledError, StokerError
from stoker.client.events import Event
from stoker.client.progress import Standing, is_ready, standing
from stoker.client.requests import Request

__all__ = [
    "Client",
    "Created",
    "Event",
    "IngressRule",
    "PowerState",
    "Protocol",
    "Request",
    "SecretKeyRef",
    "StalledError",
    "Standing",
    "StokerError",
    "UserDataSource",
    "VirtualMachine",
    "VirtualMachineSpec",
    "Volume",
    "is_ready",
    "standing",
]
