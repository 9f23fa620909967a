"""The local environment: a real Kubernetes control plane and a real OpenStack on one machine, without containers.

Standard library only: this code runs before anything is installed. Reading order: `settings` (where things
are), `process` (start and stop by pid), `assets` and `kubernetes` (one half), `openstack` (the other half).
What belongs to the product itself does not belong here.
"""
