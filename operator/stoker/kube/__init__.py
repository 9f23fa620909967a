"""Reads and writes of our objects, Leases and Secrets."""
