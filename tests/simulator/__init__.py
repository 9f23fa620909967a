"""An OpenStack that is quick, obedient and, when asked, broken: Keystone, Heat, Nova, Glance and Neutron over HTTP.

It keeps its state in memory and answers what a client of Heat needs, as the real services answer it; the suite under
`tests/conformance` holds both to the same. What it is for and how to use it is in README.md.

Reading order: `state` (what there is), `stacks` (the index of stacks), `hot` and `resources` (templates), `engine`
(what happens to a stack over time), one module per service, `faults` and `wire` (what goes wrong), `control` (the
simulator's own interface), `server` (all of it behind one port), `local` (in a thread of a test).

Nothing here imports Stoker, and the wheel does not hold it.
"""
