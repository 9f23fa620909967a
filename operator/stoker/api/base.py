"""What all our models share: names on the wire, strictness, bounded strings, metadata.

Spec models are strict (an unknown field is an error, so a typing mistake is seen); status models are lenient (a newer
operator may have written more). Both are bounded, because etcd is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

GROUP = "stoker.dev"
"""The API group of every kind."""

VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


def _wire_name(name: str) -> str:
    """Return the camelCase name with the initialisms of the Kubernetes API conventions (`publicIP`, `stackID`)."""
    camel = to_camel(name)
    for word, initialism in (("Ip", "IP"), ("Id", "ID"), ("Url", "URL"), ("Ca", "CA"), ("Cpu", "CPU")):
        if camel.endswith(word):
            return camel.removesuffix(word) + initialism
    return camel


def _utc_seconds(value: datetime) -> datetime:
    return value.astimezone(UTC).replace(microsecond=0)


def _rfc3339(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Integer = Annotated[int, Field(strict=True)]
"""An integer as the API server takes it: neither "2" nor true."""

LARGEST_INTEGER = 2**53 - 1
"""The largest integer that every reader of JSON keeps exactly."""

Boolean = Annotated[bool, Field(strict=True)]
"""A boolean as the API server takes it: neither "true" nor 1."""

Time = Annotated[datetime, AfterValidator(_utc_seconds), PlainSerializer(_rfc3339, when_used="json")]
"""A `metav1.Time`: UTC, whole seconds."""

Name = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
"""The name of a Kubernetes object (RFC 1123 subdomain)."""

CloudName = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A name in OpenStack: any text on one line, 1 to 255 characters."""

Message = Annotated[str, Field(max_length=1024)]
"""A sentence for people; foreign text is cut to fit before it gets here."""


@cache
def _names(model: type[BaseModel]) -> frozenset[str]:
    """Return the names of a model's fields, in Python and on the wire."""
    return frozenset({*model.model_fields, *(field.alias or "" for field in model.model_fields.values())})


class Model(BaseModel):
    """A part of a spec: strict and frozen."""

    model_config = ConfigDict(
        alias_generator=_wire_name,
        validate_by_name=True,
        extra="forbid",
        frozen=True,
        strict=False,
        coerce_numbers_to_str=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _as_the_api_server_reads_it(cls, value: Any) -> Any:
        """Drop nulls and make 2.0 an integer, as the API server does before it sets defaults and checks the schema.

        A null in a field that does not exist stays, and so is an unknown field.
        """
        if not isinstance(value, dict):
            return value
        return {
            name: int(part) if isinstance(part, float) and part.is_integer() else part
            for name, part in value.items()
            if part is not None or name not in _names(cls)
        }

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object as the API server stores it: camelCase, without absent fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class StatusModel(Model):
    """A part of a status: unknown fields are ignored, since a newer operator may have written them."""

    model_config = ConfigDict(extra="ignore")


class ObjectMeta(StatusModel):
    """The part of `metav1.ObjectMeta` that Stoker reads."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 1
    resource_version: str = ""
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    finalizers: tuple[str, ...] = ()
    annotations: dict[str, str] = {}
    labels: dict[str, str] = {}


class Resource(StatusModel):
    """A whole object as the API server returns it."""

    metadata: ObjectMeta


def what_is_wrong(error: ValidationError) -> str:
    """Return each wrong field with what is wrong about it; never a value, which may be a secret."""
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_input=False))
