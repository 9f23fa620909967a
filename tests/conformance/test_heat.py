"""The contract of `base.Heat` and of the other reads, through the adapter: every request that Stoker makes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from stoker.api.errors import ErrorCode
from stoker.core.faults import Fault
from stoker.openstack.base import CloudError, Credentials
from stoker.openstack.client import ProjectClient
from support.clouds import Account, Backend
from support.cluster import wait_until
from support.stacks import BAD, BARE, HEAD, ONE, SLOW, create, gone, inputs, server, settled


def recreated(cloud: ProjectClient, name: str) -> str | None:
    """Create a stack of a name just freed; for a moment that is a conflict that passes, and no taken name."""
    try:
        return create(cloud, name)
    except CloudError as error:
        if error.fault.code is ErrorCode.CONFLICT:
            return None
        raise


def refused(call: Callable[[], object]) -> Fault:
    """Return the fault of a refusal; it has the request's id."""
    with pytest.raises(CloudError) as caught:
        call()
    assert caught.value.request_id
    return caught.value.fault


def test_the_token_is_for_the_pinned_project(cloud: ProjectClient, owner: Account) -> None:
    cloud.verify()
    facts = cloud.token_facts()
    assert facts.project == owner.project
    assert "member" in facts.roles


def test_a_life_from_create_to_gone(cloud: ProjectClient, owner: Account, name: str) -> None:
    """Created, found, shown complete, deleted twice, gone by id, and the name is free again."""
    before = time.monotonic()
    stack_id = create(cloud, name)
    found = cloud.heat.find(name)
    assert [stack.id for stack in found.stacks] == [stack_id]
    assert before <= found.as_of <= time.monotonic()
    stack = settled(cloud, name, stack_id)
    assert (stack.name, stack.status, stack.project) == (name, "CREATE_COMPLETE", owner.project)
    assert stack.tags == {"stoker", f"stoker-vm={name}"}
    assert stack.created

    cloud.heat.delete(name, stack_id)
    cloud.heat.delete(name, stack_id)
    gone(cloud, name, stack_id)
    cloud.heat.delete(name, stack_id)
    assert cloud.heat.find(name).stacks == ()
    assert cloud.heat.resources(name, stack_id) == ()
    again = wait_until("the name to be free", lambda: recreated(cloud, name), 30)
    assert again != stack_id
    assert cloud.heat.probe(name, stack_id).stack is None
    cloud.heat.delete(name, again)


def test_a_second_stack_of_the_name_is_a_conflict(cloud: ProjectClient, name: str) -> None:
    stack_id = create(cloud, name)
    fault = refused(lambda: create(cloud, name))
    assert (fault.code, fault.definite) == (ErrorCode.NAME_CONFLICT, True)
    assert name in fault.message
    cloud.heat.delete(name, stack_id)


def test_a_name_is_taken_in_its_project_only(backend: Backend, cloud: ProjectClient, name: str) -> None:
    """Another project may have a stack of the name, and sees nothing of ours, not even by id."""
    other = backend.account().connect()
    ours, theirs = create(cloud, name), create(other, name)
    for one, mine, foreign in ((cloud, ours, theirs), (other, theirs, ours)):
        assert [stack.id for stack in one.heat.find(name).stacks] == [mine]
        assert one.heat.probe(name, foreign).stack is None
        one.heat.delete(name, foreign)  # is not there, hence done
    settled(cloud, name, ours)
    settled(other, name, theirs)
    cloud.heat.delete(name, ours)
    other.heat.delete(name, theirs)
    other.close()


def test_what_acts_later_needs_more_than_an_application_credential(
    owner: Account, cloud: ProjectClient, name: str
) -> None:
    """Where Heat makes no trusts, it wants the password that a password user's token comes with, and says so."""
    handle = inputs(HEAD + "resources: {handle: {type: OS::Heat::WaitConditionHandle}}\n")
    fault = refused(lambda: create(cloud, name, handle))
    assert (fault.code, fault.definite) == (ErrorCode.CREDENTIAL_CANNOT_CREATE_TRUSTS, True)


def test_a_stack_that_never_was_is_gone(cloud: ProjectClient, name: str) -> None:
    stack_id = str(uuid.uuid4())
    assert cloud.heat.probe(name, stack_id).stack is None
    cloud.heat.delete(name, stack_id)


def test_a_name_that_only_begins_alike_is_not_found(cloud: ProjectClient, name: str) -> None:
    stack_id = create(cloud, f"{name}-more")
    assert cloud.heat.find(name).stacks == ()
    cloud.heat.delete(f"{name}-more", stack_id)


def test_all_pages_of_a_list_by_tags(cloud: ProjectClient, name: str) -> None:
    """Three stacks on pages of two; a fourth has only one of the two tags."""
    ids = {create(cloud, f"{name}-{n}", None, f"group={name}") for n in range(3)}
    other = create(cloud, f"{name}-other")
    cloud.heat._page = 2
    assert {stack.id for stack in cloud.heat.list(("stoker", f"group={name}")).stacks} == ids
    cloud.heat._page = 500
    assert cloud.heat.list(("stoker", "group=nobody")).stacks == ()
    cloud.heat.delete(f"{name}-other", other)
    for stack in cloud.heat.list((f"group={name}",)).stacks:
        cloud.heat.delete(stack.name, stack.id)
    wait_until("the list to be empty", lambda: not cloud.heat.list((f"group={name}",)).stacks, 120)


def test_a_create_under_way_can_be_deleted(cloud: ProjectClient, name: str) -> None:
    stack_id = create(cloud, name, inputs(SLOW))
    probe = cloud.heat.probe(name, stack_id)
    assert probe.stack is not None
    assert probe.stack.in_progress
    cloud.heat.delete(name, stack_id)
    gone(cloud, name, stack_id)


def test_a_stack_that_failed_says_why_and_stays(cloud: ProjectClient, name: str) -> None:
    """Without rollback: CREATE_FAILED, with the resource's own reason."""
    stack_id = create(cloud, name, inputs(BAD))
    stack = settled(cloud, name, stack_id)
    assert stack.status == "CREATE_FAILED"
    assert "resources.v" in stack.reason
    (resource,) = cloud.heat.resources(name, stack_id)
    assert (resource.name, resource.type, resource.status) == ("v", "OS::Heat::TestResource", "CREATE_FAILED")
    assert resource.reason
    cloud.heat.delete(name, stack_id)


UNKNOWN = {
    "flavor": (server(flavor="nosuch"), ErrorCode.FLAVOR_NOT_FOUND),
    "image": (server(image="nosuch"), ErrorCode.IMAGE_NOT_FOUND),
    "key pair": (server(key_name="nosuch"), ErrorCode.KEY_PAIR_NOT_FOUND),
    "network": (
        HEAD + "resources: {p: {type: OS::Neutron::Port, properties: {network: nosuch}}}",
        ErrorCode.NETWORK_NOT_FOUND,
    ),
    "network of floating IPs": (
        HEAD + "resources: {p: {type: OS::Neutron::FloatingIP, properties: {floating_network: nosuch}}}",
        ErrorCode.NETWORK_NOT_FOUND,
    ),
    "volume type": (
        HEAD + "resources: {v: {type: OS::Cinder::Volume, properties: {size: 1, volume_type: nosuch}}}",
        ErrorCode.VOLUME_TYPE_NOT_FOUND,
    ),
    "resource type": (HEAD + "resources: {nosuch: {type: OS::No::nosuch}}", ErrorCode.TEMPLATE_INVALID),
    "property": (
        HEAD + "resources: {v: {type: OS::Heat::Value, properties: {value: x, nosuch: x}}}",
        ErrorCode.TEMPLATE_INVALID,
    ),
    "parameter": (HEAD + "parameters: {nosuch: {type: string}}", ErrorCode.TEMPLATE_INVALID),
    "reference": (
        HEAD + "resources: {v: {type: OS::Heat::Value, properties: {value: {get_resource: nosuch}}}}",
        ErrorCode.TEMPLATE_INVALID,
    ),
}


@pytest.mark.parametrize(("template", "code"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_the_cloud_does_not_know_is_named(cloud: ProjectClient, name: str, template: str, code: ErrorCode) -> None:
    fault = refused(lambda: create(cloud, name, inputs(template)))
    assert (fault.code, fault.definite) == (code, True)
    assert "nosuch" in fault.message
    assert cloud.heat.find(name).stacks == ()


def test_a_parameter_that_the_template_lacks(cloud: ProjectClient, name: str) -> None:
    assert refused(lambda: create(cloud, name, inputs(more=1))).code is ErrorCode.TEMPLATE_INVALID


@pytest.mark.parametrize(
    "text", ["Grüße, 世界, שלום, 🚀", "{get_param: said}", "{{ jinja }}", "$said %s 'x' \"y\" \\n", "a: [b\n- c: {d"]
)
def test_text_comes_back_as_it_was_and_never_becomes_template(cloud: ProjectClient, name: str, text: str) -> None:
    """Outputs cut what is long; these are not."""
    stack_id = create(cloud, name, inputs(text=text, said={"get_param": "text", "ü": [text]}))
    assert settled(cloud, name, stack_id).status == "CREATE_COMPLETE"
    outputs = cloud.heat.outputs(name, stack_id)
    assert outputs.server_id == text
    assert "get_param" in outputs.private_ip
    assert outputs.public_ip == ""
    cloud.heat.delete(name, stack_id)


def test_a_template_without_a_servers_id_is_of_no_use(cloud: ProjectClient, name: str) -> None:
    stack_id = create(cloud, name, inputs(BARE))
    settled(cloud, name, stack_id)
    with pytest.raises(CloudError) as caught:
        cloud.heat.outputs(name, stack_id)
    assert caught.value.fault.code is ErrorCode.TEMPLATE_INVALID
    cloud.heat.delete(name, stack_id)


def test_the_newest_events_come_first(cloud: ProjectClient, name: str) -> None:
    stack_id = create(cloud, name, inputs(text="x"))
    settled(cloud, name, stack_id)
    events = cloud.heat.events(name, stack_id, 3)
    assert len(events) == 3
    assert (events[0].resource, events[0].status) == (name, "CREATE_COMPLETE")
    times = [event.time for event in events if event.time]
    assert times == sorted(times, reverse=True)
    cloud.heat.delete(name, stack_id)


def test_a_preview_names_what_would_change_and_changes_nothing(cloud: ProjectClient, name: str) -> None:
    stack_id = create(cloud, name, inputs(text="before"))
    settled(cloud, name, stack_id)
    plan = cloud.heat.preview_update(name, stack_id, ("stoker",), inputs(text="after"), timeout_minutes=5)
    assert (plan.updated, plan.unchanged, plan.replaced) == (("text_value",), ("json_value",), ())
    assert cloud.heat.outputs(name, stack_id).server_id == "before"
    cloud.heat.delete(name, stack_id)


def test_an_update_gives_new_values_and_new_tags(cloud: ProjectClient, name: str) -> None:
    """One resource only: Heat on SQLite once lost the end of an update of two, which stayed UPDATE_IN_PROGRESS."""
    stack_id = create(cloud, name, inputs(ONE, text="before"))
    settled(cloud, name, stack_id)
    tags = ("stoker", "stoker-in=2")
    assert cloud.heat.update(name, stack_id, tags, inputs(ONE, text="after"), timeout_minutes=5).startswith("req-")
    stack = settled(cloud, name, stack_id)
    assert (stack.status, stack.tags) == ("UPDATE_COMPLETE", set(tags))
    assert cloud.heat.outputs(name, stack_id).server_id == "after"
    cloud.heat.delete(name, stack_id)


def test_what_else_the_project_has(cloud: ProjectClient) -> None:
    tiny = next(flavor for flavor in cloud.compute.flavors() if flavor.name == "m1.tiny")
    assert (tiny.vcpus, tiny.ram_mib) == (1, 512)
    assert "cirros" in {image.name for image in cloud.image.images() if image.status == "active"}
    networks = {network.name: network.external for network in cloud.network.networks()}
    assert networks == {"public": True, "private": False}
    assert cloud.compute.servers().by_id == {}
    assert cloud.compute.key_pairs() == ()


def test_pages_of_one_are_read_to_the_end(cloud: ProjectClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nova, Glance and Neutron each say in their own way that there is more."""
    reads = (cloud.compute.flavors, cloud.image.images, cloud.network.networks)
    whole = [read() for read in reads]
    monkeypatch.setattr("stoker.openstack.collection.PAGE", 1)
    assert [set(read()) for read in reads] == [set(found) for found in whole]
    assert all(len(found) > 1 for found in whole)


def test_a_password_serves_as_well(owner: Account) -> None:
    cloud = owner.connect(owner.password)
    cloud.verify()
    assert cloud.heat.list(("nobody",)).stacks == ()
    cloud.close()


@pytest.mark.parametrize("known", [True, False])
def test_a_wrong_credential_is_unauthorized(owner: Account, known: bool) -> None:
    """Keystone answers 401 to a wrong secret and 404 to an unknown id."""
    credential_id = owner.credential.id if known else uuid.uuid4().hex
    cloud = owner.connect(Credentials("application-credential", credential_id, "wrong"))
    fault = refused(cloud.verify)
    assert (fault.code, fault.definite) == (ErrorCode.UNAUTHORIZED, True)
    cloud.close()


def test_a_wrong_password_is_unauthorized(owner: Account) -> None:
    cloud = owner.connect(Credentials("password", owner.name, "wrong"))
    assert refused(cloud.verify).code is ErrorCode.UNAUTHORIZED
    cloud.close()


def test_a_credential_of_another_project_is_a_mismatch(owner: Account) -> None:
    cloud = owner.connect(endpoint=replace(owner.endpoint, project="other"))
    with pytest.raises(CloudError) as caught:
        cloud.heat.list(())
    assert caught.value.fault.code is ErrorCode.PROJECT_MISMATCH
    cloud.close()


def test_new_tags_alone_touch_no_resource_and_keep_template_and_parameters(cloud: ProjectClient, name: str) -> None:
    stack_id = create(cloud, name, inputs(text="kept"), "a-tag-of-its-own")
    settled(cloud, name, stack_id)
    before = cloud.heat.resources(name, stack_id)

    assert cloud.heat.adopt(name, stack_id, ("stoker", "stoker-vm=another")).startswith("req-")

    found = settled(cloud, name, stack_id)
    assert (found.status, found.tags) == ("UPDATE_COMPLETE", frozenset({"stoker", "stoker-vm=another"}))
    assert [(r.name, r.physical_id, r.status) for r in cloud.heat.resources(name, stack_id)] == [
        (r.name, r.physical_id, r.status) for r in before
    ]
    assert cloud.heat.outputs(name, stack_id).server_id == "kept"
    cloud.heat.delete(name, stack_id)


def test_a_stack_is_found_by_its_id_alone_and_says_which_outputs_it_has(cloud: ProjectClient, name: str) -> None:
    stack_id, bare = create(cloud, name, inputs(text="x")), create(cloud, f"{name}-bare", inputs(BARE))
    settled(cloud, name, stack_id)
    settled(cloud, f"{name}-bare", bare)
    (found,) = cloud.heat.find_id(stack_id).stacks
    assert (found.id, found.name) == (stack_id, name)
    assert cloud.heat.find_id("00000000-0000-4000-8000-000000000000").stacks == ()
    assert cloud.heat.output_names(name, stack_id) == {"server_id", "private_ip"}
    assert cloud.heat.output_names(f"{name}-bare", bare) == frozenset()
    cloud.heat.delete(name, stack_id)
    cloud.heat.delete(f"{name}-bare", bare)
