"""`VirtualMachineTemplate`: one immutable version of a HOT template.

The object `ubuntu-basic.v1` is what users write as `ubuntu-basic@v1` (an object's name has no "@").
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stoker.api.base import Integer, Model, Resource

TEMPLATE_BYTES = 512 * 1024
"""Heat's `max_template_size`: 512 KiB."""


class VirtualMachineTemplateSpec(Model):
    """One version; never changed once released."""

    family: Annotated[
        str,
        Field(
            min_length=1,
            max_length=63,
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            description="Family, for example ubuntu-basic.",
        ),
    ]
    version: Annotated[Integer, Field(ge=1, le=999_999, description="Version of the family.")]
    description: Annotated[str, Field(max_length=1024, description="What it makes, for people.")] = ""
    template: Annotated[
        str, Field(min_length=1, max_length=TEMPLATE_BYTES, description="The HOT template as YAML text.")
    ]


class VirtualMachineTemplate(Resource):
    """One version of a template."""

    spec: VirtualMachineTemplateSpec

    @property
    def reference(self) -> str:
        """What users write: `family@vN`."""
        return f"{self.spec.family}@v{self.spec.version}"


def object_name(reference: str) -> str:
    """Return the object's name for a reference with a version: `ubuntu-basic@v1` → `ubuntu-basic.v1`."""
    return reference.replace("@", ".")
