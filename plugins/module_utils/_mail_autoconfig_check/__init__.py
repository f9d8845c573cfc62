"""Whether an address and a password are enough: asks as mail clients ask, and says what is wrong and what mends it.

PRIVATE to the mailops.autoconfig collection: names and behaviour may change with any release.
Python 3.9 syntax, the standard library and dnspython. It writes nothing anywhere.

Data flows one way: ``options`` (input) -> ``names``, ``web``, ``certificates``, ``servers`` (what is there: the only rooms that
talk to the network) -> ``clients`` (what each client makes of it) -> ``verdicts`` (pure: findings) -> ``reports`` (pure: text).
``run`` joins them.
"""
