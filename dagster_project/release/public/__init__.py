"""The public face of a release: figures that anybody may have, from which nobody can tell a small count.

Belongs here: the rule (``rule``), which counts are linked (``declared``, ``model``), what is hidden and the proof that it is enough
(``suppress``, ``knowledge``, ``reach``, ``tables``), and the public database beside the internal one (``database``, ``face``). Does not belong here: figures of its own (they are
those of the internal release), and anything that changes pool, warehouse or an internal release.
"""

from dagster_project.release.public.face import PublicOutcome, public_lines, publish_face
from dagster_project.release.public.faces import (
    PublicFace,
    current_face,
    damaged_faces,
    list_faces,
    public_versions,
    verify_face,
    withdraw_faces,
)

__all__ = [
    "PublicFace",
    "PublicOutcome",
    "current_face",
    "damaged_faces",
    "list_faces",
    "public_lines",
    "public_versions",
    "publish_face",
    "verify_face",
    "withdraw_faces",
]
