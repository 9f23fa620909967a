"""What users write and read: the five kinds of `stoker.dev/v1alpha1` as pydantic models.

No decision is made here, and nothing is imported but pydantic. The CustomResourceDefinitions in `crds/` are
generated from these models (`crd.py`), so a field exists once.
"""
