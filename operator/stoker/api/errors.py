"""The closed set of error codes, part of the API: `status.lastError.code`, events and metrics use no other word.

What each one means for retrying, and who must act, is decided in `core.faults`.
"""

from enum import StrEnum


class ErrorCode(StrEnum):
    """What went wrong, as one word."""

    FLAVOR_NOT_FOUND = "FlavorNotFound"
    IMAGE_NOT_FOUND = "ImageNotFound"
    NETWORK_NOT_FOUND = "NetworkNotFound"
    KEY_PAIR_NOT_FOUND = "KeyPairNotFound"
    VOLUME_TYPE_NOT_FOUND = "VolumeTypeNotFound"
    NAME_AMBIGUOUS = "NameAmbiguous"
    FLAVOR_TOO_SMALL = "FlavorTooSmall"
    NOT_ALLOWED = "NotAllowed"
    TEMPLATE_NOT_FOUND = "TemplateNotFound"
    TEMPLATE_INVALID = "TemplateInvalid"
    INVALID_SPEC = "InvalidSpec"
    USER_DATA_NOT_FOUND = "UserDataNotFound"
    TENANT_NOT_FOUND = "TenantNotFound"
    TENANT_NOT_READY = "TenantNotReady"
    CREDENTIALS_INVALID = "CredentialsInvalid"
    UNAUTHORIZED = "Unauthorized"
    FORBIDDEN = "Forbidden"
    PROJECT_MISMATCH = "ProjectMismatch"
    CREDENTIAL_CANNOT_CREATE_TRUSTS = "CredentialCannotCreateTrusts"
    ENDPOINT_NOT_ALLOWED = "EndpointNotAllowed"
    CLOUD_UNAVAILABLE = "CloudUnavailable"
    RATE_LIMITED = "RateLimited"
    TIMEOUT = "Timeout"
    CLOUD_QUOTA_EXCEEDED = "CloudQuotaExceeded"
    NO_VALID_HOST = "NoValidHost"
    NAME_CONFLICT = "NameConflict"
    OWNERSHIP_LOST = "OwnershipLost"
    DUPLICATE_IDENTITY = "DuplicateIdentity"
    STACK_MISSING = "StackMissing"
    STACK_FAILED = "StackFailed"
    UPDATE_WOULD_REPLACE = "UpdateWouldReplace"
    NOT_FOUND = "NotFound"
    CONFLICT = "Conflict"
    AUDIT_UNAVAILABLE = "AuditUnavailable"
    UNKNOWN = "Unknown"
