"""An attacker on the public face of releases: a reader who adds, subtracts, compares releases, and solves what is left.

He has the public DuckDB files and shares no code with what makes them. He knows what everybody may know: that the counties make the city,
months a quarter, a year and what is to date, that no count is negative, that a part is no more than its whole, and which KPIs count the
same; that list (``declared``) is the one thing that both sides read. ``leaks`` attacks every small figure and is what the tests call;
``python -m benchmarks.public_attack`` does it on whole cities.
"""

from benchmarks.public_attack.attacking import Attack, Leak, attack, leaks
from benchmarks.public_attack.reading import Fact

__all__ = ["Attack", "Fact", "Leak", "attack", "leaks"]
