"""Stoker gives every VirtualMachine object exactly one OpenStack Heat stack.

Reading order: `api` (what users write), `core` (what is decided, and why), `openstack` and `kube` (how the two
worlds are read and changed), `reconcile` (gather, decide, perform, report), then `handlers`, `app` and `cli`.
"""

__version__ = "0.1.0"
