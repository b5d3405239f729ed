"""From landing to pool: what was delivered becomes typed, de-identified Parquet, with quarantine and receipts.

The way of one batch: ``landing`` finds its files, ``readers`` turn bytes into raw text, ``cleaning`` and ``conversion`` make typed
rows of it, ``duplicates`` and ``reduction`` settle which rows stand, ``batch`` puts pool file, quarantine file and receipts in place. ``plan``
decides which batches need it, ``night`` has them made, ``checks`` says what is wrong with a source after it, ``control`` tells the
warehouse what the pool holds.

Belongs here: everything between a delivered byte and a pool row, and the books kept about it. Does not belong here: what a contract
may say (``contracts``), what a figure means (dbt), whether a figure may go out (``audit``), anything of Dagster (``defs``).
Only infrastructure errors (a full disk, a home that cannot be written) leave this package as exceptions: bad data never does.
"""
