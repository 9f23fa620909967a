"""The reason of a stack that failed: Heat's words and those of the services behind it → the code."""

from __future__ import annotations

import pytest

from stoker.api.errors import ErrorCode as Code
from stoker.core.classify import classify_reason

REASONS = {
    "nova's quota": (
        "Resource CREATE failed: Forbidden: resources.server: Quota exceeded for cores: Requested 4, but already used "
        "0 of 3 cores (HTTP 403) (Request-ID: req-1)",
        Code.CLOUD_QUOTA_EXCEEDED,
    ),
    "neutron's quota": (
        "Resource CREATE failed: OverQuotaClient: resources.fip: Quota exceeded for resources: ['floatingip'].\n"
        "Neutron server returns request_ids: ['req-1']",
        Code.CLOUD_QUOTA_EXCEEDED,
    ),
    "cinder's quota": (
        "Resource CREATE failed: OverLimit: resources.v: VolumeSizeExceedsAvailableQuota: Requested volume or snapshot "
        "exceeds allowed gigabytes quota. Requested 20G, quota is 10G and 0G has been consumed. (HTTP 413)",
        Code.CLOUD_QUOTA_EXCEEDED,
    ),
    "no host": (
        'Resource CREATE failed: ResourceInError: resources.server: Went to status ERROR due to "Message: No valid host '
        'was found. , Code: 500"',
        Code.NO_VALID_HOST,
    ),
    "a full subnet": (
        "Resource CREATE failed: IpAddressGenerationFailureClient: resources.port: No more IP addresses available on "
        "network 1-2.",
        Code.CLOUD_QUOTA_EXCEEDED,
    ),
    "a network of floating IPs without a way to it": (
        "Resource CREATE failed: NotFound: resources.fip: External network 1-2 is not reachable from subnet 3-4.",
        Code.NETWORK_NOT_FOUND,
    ),
    "Heat's own limit": ("Timed out", Code.TIMEOUT),
    "anything else": ("Resource CREATE failed: ValueError: resources.v: Test Resource failed v", Code.STACK_FAILED),
    "nothing at all": ("", Code.STACK_FAILED),
}


@pytest.mark.parametrize(("reason", "code"), REASONS.values(), ids=REASONS)
def test_a_stacks_reason_means(reason: str, code: Code) -> None:
    assert classify_reason(reason).code is code
