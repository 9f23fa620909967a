"""`stoker render`: the HOT template and the parameters of a manifest, by the same pure code that the operator runs."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ValidationError

from stoker.api.base import ObjectMeta, what_is_wrong
from stoker.api.template import VirtualMachineTemplate
from stoker.api.tenant import NetworkProfile, Tenant, TenantSpec
from stoker.api.virtualmachine import VirtualMachine
from stoker.core.admission import admit
from stoker.core.faults import Fault
from stoker.core.templates import template_object


def render(manifest: Path, templates: Path, network: str, external_network: str) -> str:
    """Return a YAML document with `template`, `parameters`, `inputsHash` and `hot`.

    Raises ValueError saying what is wrong with the manifest, in the words the VM's condition would use.
    """
    vm = read_vm(manifest)
    known = [template_object(file.name, file.read_text()) for file in sorted(templates.glob("*@v*.yaml"))]
    objects = {item["metadata"]["name"]: VirtualMachineTemplate.model_validate(item) for item in known}
    profile = NetworkProfile(name=vm.spec.network_profile, network=network, external_network=external_network)
    tenant = Tenant(
        metadata=ObjectMeta(name="render"),
        spec=TenantSpec(
            cloud="render",
            project_id="render",
            namespaces=("default",),
            credentials_secret="render",
            network_profiles=(profile,),
        ),
    )
    user_data = "<from the Secret>" if vm.spec.user_data_from else vm.spec.user_data
    inputs = admit(vm, tenant, objects, user_data)
    if isinstance(inputs, Fault):
        raise ValueError(f"{manifest}: {inputs.sentence}")
    document = {"template": inputs.template_version, "inputsHash": inputs.hash, "parameters": inputs.parameters}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True) + "---\n" + inputs.template


def read_vm(manifest: Path) -> VirtualMachine:
    """Return the one VirtualMachine of a manifest.

    Raises ValueError naming the file and each wrong field.
    """
    try:
        documents = [document for document in yaml.safe_load_all(manifest.read_text()) if document]
    except yaml.YAMLError as error:
        raise ValueError(f"{manifest}: not YAML: {str(error).splitlines()[0]}") from None
    vms = [
        document for document in documents if isinstance(document, dict) and document.get("kind") == "VirtualMachine"
    ]
    if len(vms) != 1:
        raise ValueError(f"{manifest}: expected one VirtualMachine, found {len(vms)}")
    try:
        return VirtualMachine.model_validate(vms[0])
    except ValidationError as error:
        raise ValueError(f"{manifest}: {what_is_wrong(error)}") from None
