"""Killed at any instant, a run leaves an Apache that starts and whole answers, and the next run mends the rest."""

from __future__ import annotations

import pytest

from tests.faults import tracer
from tests.faults.harness import Bed
from tests.faults.sweep import SCENARIOS, WAYS, Finding, Sweep, evenly

# ``./dev bench kills`` takes them all.
POINTS = 4

pytestmark = pytest.mark.skipif(not tracer.is_possible(), reason="the tracer knows the system calls of Linux on x86-64 alone")


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_killed_run_breaks_nothing_and_the_next_one_mends_all(name: str, bed: Bed) -> None:
    sweep = Sweep(bed, SCENARIOS[name])
    points = sweep.points()
    assert any(point.by_module for point in points)
    found = [
        finding for index, point in enumerate(evenly(points, POINTS)) for finding in sweep.kill(point, WAYS[index % len(WAYS)])
    ]
    assert not found, described(found)


def test_apache_starts_with_each_link_to_a_module_that_a_kill_leaves_alone(bed: Bed) -> None:
    sweep = Sweep(bed, SCENARIOS["first install"])
    points = [point for point in sweep.points() if "/mods-enabled/" in point.call and "link" in point.call]
    assert points
    found = [
        finding for point in evenly(points, POINTS) for finding in sweep.kill(point, WAYS[0]) if finding.kind == "not started"
    ]
    assert not found, described(found)


def described(found: list[Finding]) -> str:
    return "\n".join(f"{finding.kind}: {finding.where}: {finding.detail}" for finding in found)
