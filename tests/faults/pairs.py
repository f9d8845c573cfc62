"""Two runs at once, and what the host may be like after both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.faults.harness import Bed, Tree, differences, mixed, providers

_ONE, _OTHER = providers("server.tld"), providers("other.example")
_CHANGED = providers("server.tld", display_name="Another name")
# What was there before, and the options of the two.
PAIRS: dict[str, tuple[Mapping[str, Any] | None, Mapping[str, Any], Mapping[str, Any]]] = {
    "two providers": (None, _ONE, _OTHER),
    "change and other provider": (_ONE, _CHANGED, _OTHER),
    "present and absent": (_ONE, _CHANGED, {"state": "absent", **_ONE}),
    "same input": (None, _ONE, _ONE),
}


class Pair:
    """Two runs on a bed, with what they make of the host one after the other, in both orders, and each alone."""

    def __init__(self, bed: Bed, before: Mapping[str, Any] | None, first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
        self.bed, self.runs = bed, (first, second)
        if before:
            bed.publish(before)
        self.start = bed.tree()
        self.ends = {order: self._end(order) for order in ((0, 1), (1, 0), (0,), (1,))}

    def _end(self, order: tuple[int, ...]) -> tuple[Tree, Any]:
        self.bed.undo(self.start)
        for index in order:
            self.bed.publish(self.runs[index])
        return self.bed.tree(), self.bed.answers()


def wrong(pair: Pair, number: int) -> Iterator[str]:
    """Start both and wait for both; what is wrong then. Even numbers start the second one first."""
    bed = pair.bed
    bed.undo(pair.start)
    order = (0, 1) if number % 2 else (1, 0)
    processes = {index: bed.start(pair.runs[index]) for index in order}
    results = {index: bed.result(processes[index]) for index in order}
    succeeded = tuple(index for index in (0, 1) if not results[index].get("failed"))
    for index in {0, 1} - set(succeeded):
        if str(processes[1 - index].pid) not in results[index]["msg"]:
            yield f"failed, and not for a lock whose holder is named: {results[index]['msg']}"
    bed.settle({"needs_reload": any(result.get("needs_reload") for result in results.values())})
    tree, answers = bed.tree(), bed.answers()
    possible = [pair.ends[key] for key in pair.ends if set(key) == set(succeeded)]
    off = min((differences(tree, end[0]) for end in possible), key=len, default=["both failed"])
    if off:
        yield f"{len(succeeded)} of 2 succeeded, and yet not as after one and then the other: {', '.join(off)}"
        return
    yield from mixed(answers, *(end[1] for end in possible if not differences(tree, end[0])))
