"""Extractors: from a database or an API to landing, so that what was fetched can be read again any night.

``source`` fetches one source for one night: ``sql`` a table, ``rest`` the pages of an API. What has come lies in a draft until it is
whole; then it takes its name below landing in one step and is delivered like any other file. ``state`` remembers how far a source has
been fetched, ``columns`` which columns may be asked for: those that a contract drops are never selected, never written.

Belongs here: everything between a server and a file in landing. Does not belong here: reading that file (``ingest``), anything of
Dagster (``defs``). Addresses, accounts and tokens come from the environment and never reach a file, a log or a message: errors of
servers are told in words of our own, since theirs name hosts and accounts.
"""
