"""Decisions: pure functions over frozen snapshots.

No I/O, no clock, no randomness, no logging: what a rule needs stands in the `World`. Reading order: `faults` (what can
go wrong), `identity` (names, tags, proof of ownership), `inputs` (what Heat is given), `world`, `decide`, `status`.
"""
