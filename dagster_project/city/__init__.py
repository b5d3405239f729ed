"""A small fictional city whose systems deliver as real ones do, and whose true figures are known.

Belongs here: the world (what happened), the deliveries made of it with their declared faults, and the truth counted from
the world in plain Python and NumPy. Does not belong here: anything of ``ingest`` or of the models: the truth shares no code
with what it is compared with. Places, people and codes are invented; the division prefix 99 is assigned to nowhere.
"""
