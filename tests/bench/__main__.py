"""Measures, as ratios within one run: ``./dev bench [NAME ...]``. No test, because seconds say more of a machine than of us.

``./dev bench mutants [SEED]`` measures the tests themselves, for about an hour, and runs only if it is named.
``./dev bench kills`` takes hours on two cores; ``./dev bench kills EVERY`` takes one kill of so many.
``./dev bench certificates COUNT`` only orders so many certificates.
"""

from __future__ import annotations

import sys

from tests.bench import certificates, check_fuzz, checking, dns_pushing, kills, mutants, planning, scale, serving

BENCHES = {
    "planning": planning.main,
    "serving": serving.rates,
    "downloads": serving.downloads,
    "logins": serving.logins,
    "dns_pushing": dns_pushing.main,
    "check": checking.main,
    "check_fuzz": check_fuzz.main,
    "memory": serving.memory,
    "fuzz": serving.fuzz,
    "endurance": serving.endurance,
    "kills": kills.kills,
    "pairs": kills.pairs,
    "scale": scale.main,
    "certificates": certificates.main,
}


def main() -> int:
    """Run those that are named, or all that measure seconds."""
    if sys.argv[1:2] == ["mutants"]:
        mutants.main(sys.argv[2:])
        return 0
    if sys.argv[1:2] == ["kills"] and sys.argv[2:3] and sys.argv[2].isdecimal():
        kills.kills(max(1, int(sys.argv[2])))
        return 0
    if sys.argv[1:2] == ["certificates"] and sys.argv[2:3] and sys.argv[2].isdecimal():
        certificates.orders(max(1, int(sys.argv[2])))
        return 0
    names = sys.argv[1:] or list(BENCHES)
    unknown = sorted(set(names) - set(BENCHES))
    if unknown:
        print(f"no bench {', '.join(unknown)}; there are {', '.join(BENCHES)}, mutants", file=sys.stderr)
        return 2
    for name in names:
        print(f"\n== {name}", flush=True)
        BENCHES[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
