"""Ways to hide small figures: the one that is used, and two that an attacker must break, or he is none."""

from __future__ import annotations

from collections.abc import Callable, Collection

from dagster_project.release.public.model import Group, Linked
from dagster_project.release.public.suppress import Suppression, suppress

Suppressor = Callable[[Linked, Collection[int], Collection[int], Collection[Group]], Suppression]


def small_alone(
    linked: Linked, hidden: Collection[int] = (), printed: Collection[int] = (), settled: Collection[Group] = ()
) -> Suppression:
    """Hides the small figures and nothing that tells them."""
    return Suppression({target.cell for target in linked.targets})


def forgetful(linked: Linked, hidden: Collection[int] = (), printed: Collection[int] = (), settled: Collection[Group] = ()) -> Suppression:
    """Proves every release for itself, as if readers did not have the ones before."""
    return suppress(linked)


AS_IT_IS = "as it is"
SUPPRESSORS: dict[str, Suppressor] = {AS_IT_IS: suppress, "small ones alone": small_alone, "each release for itself": forgetful}
