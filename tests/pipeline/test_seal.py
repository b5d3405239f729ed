"""A build starts from the last candidate only where that holds the bytes that the same builder left."""

from __future__ import annotations

import os
import shutil

from audit_home import AuditHome

from dagster_project.audit.candidate import can_build_on


def test_a_sealed_candidate_is_built_on_by_the_same_builder_only(pool: AuditHome) -> None:
    pool.build()
    assert can_build_on(pool.home, "test")
    assert not can_build_on(pool.home, "another")


def test_a_candidate_altered_behind_its_own_times_is_not_built_on(pool: AuditHome) -> None:
    pool.build()
    candidate, before = pool.home.candidate, pool.home.candidate.stat()
    altered = bytearray(candidate.read_bytes())
    altered[-1] ^= 1
    with candidate.open("r+b") as stream:
        stream.write(altered)
    os.utime(candidate, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = candidate.stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)
    assert not can_build_on(pool.home, "test")


def test_a_restored_candidate_is_read_and_built_on(pool: AuditHome) -> None:
    pool.build()
    candidate = pool.home.candidate
    copy = candidate.with_suffix(".copy")
    shutil.copyfile(candidate, copy)
    copy.replace(candidate)
    assert can_build_on(pool.home, "test")
    candidate.write_bytes(candidate.read_bytes()[:-1] + b"?")
    assert not can_build_on(pool.home, "test")


def test_a_home_without_candidate_or_seal_has_nothing_to_build_on(pool: AuditHome) -> None:
    assert not can_build_on(pool.home, "test")
    pool.build(seal=False)
    assert not can_build_on(pool.home, "test")
