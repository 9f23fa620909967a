"""`kubectl osvm`: virtual machines for people at a terminal."""
