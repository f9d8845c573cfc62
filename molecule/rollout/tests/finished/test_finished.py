"""After the third was mended, the same command serves all, and changes nothing where it was done."""

from __future__ import annotations

from typing import Any


def test_the_play_changed_the_rest_alone(rollout: dict[str, Any], recap: dict[str, dict[str, int]]) -> None:
    assert rollout["rc"] == 0
    assert [counts["changed"] > 0 for _host, counts in sorted(recap.items())] == [False, False, True, True]


def test_everybody_is_served(document: dict[str, Any]) -> None:
    assert "<clientConfig" in document.get("body", "")
