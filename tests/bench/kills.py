"""Runs that are killed, and two at once: all of what ``tests/faults`` takes samples of."""

from __future__ import annotations

import concurrent.futures
import functools
import os
from collections import Counter

from tests.faults.harness import bed
from tests.faults.pairs import PAIRS, Pair, wrong
from tests.faults.sweep import KINDS, SCENARIOS, WAYS, Finding, Sweep, Way
from tests.faults.tracer import Point


def kills(every: int = 1) -> None:
    """Kill at every call that changes something, in every way: a table of all scenarios, and each thing that was wrong.

    :arg every: take only one of so many kills, spread over all calls and ways
    """
    print("  ".join(["scenario".ljust(24), " kills", *KINDS]), flush=True)
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        sweep = functools.partial(_sweep, every=every)
        for name, (kills, found) in zip(SCENARIOS, pool.map(sweep, SCENARIOS), strict=True):
            count = Counter(kind for kind, _where in {(finding.kind, finding.where) for finding in found})
            print("  ".join([name.ljust(24), f"{kills:6}", *(f"{count[kind]:{len(kind)}}" for kind in KINDS)]), flush=True)
            for finding in found:
                print(f"  {finding.kind}: {finding.where}: {finding.detail}", flush=True)


def _sweep(name: str, every: int) -> tuple[int, list[Finding]]:
    with bed() as made:
        sweep = Sweep(made, SCENARIOS[name])
        kills = [(point, way) for point in sweep.points() for way in WAYS if _differs(point, way)][::every]
        return len(kills), [finding for point, way in kills for finding in sweep.kill(point, way)]


def _differs(point: Point, way: Way) -> bool:
    """Where the module itself makes the call and runs alone, it is the caller and all of them."""
    return not point.by_module or way.name in ("KILL all", "TERM module", "INT all")


def pairs(rounds: int = 50) -> None:
    """Start two at once, many times."""
    for name, runs in PAIRS.items():
        with bed() as made:
            pair = Pair(made, *runs)
            found = [list(wrong(pair, number)) for number in range(rounds)]
        print(
            f"{name}: {sum(map(bool, found))} of {rounds} wrong", *sorted({text for item in found for text in item}), sep="\n  "
        )
