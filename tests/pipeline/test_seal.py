"""A build starts from the last candidate only where that holds the bytes that the same builder left."""

from __future__ import annotations

import os
import shutil

from audit_home import AuditHome

from dagster_project.audit.candidate import can_build_on, discard_unsealed


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


def test_a_candidate_that_was_cut_short_is_removed_before_a_build_and_a_sound_one_is_not(pool: AuditHome) -> None:
    pool.build()
    candidate, wal = pool.home.candidate, pool.home.candidate.with_name("candidate.duckdb.wal")
    discard_unsealed(pool.home)
    assert candidate.is_file(), "another builder may replace its tables in place"
    wal.touch()
    os.truncate(candidate, candidate.stat().st_size // 2)
    discard_unsealed(pool.home)
    assert not candidate.exists() and not wal.exists()
    discard_unsealed(pool.home)
