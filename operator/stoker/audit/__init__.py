"""The audit on the disk: one chain in one folder, read and written. What a record means is `core.audit`'s."""
