"""`make bench`: what Stoker costs, on the real services beside Heat alone, and on the simulator in numbers no real one holds.

Nothing here judges: a bound that is missed is printed as missed, and a person asks why.
"""
