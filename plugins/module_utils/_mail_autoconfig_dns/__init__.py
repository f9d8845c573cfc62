"""DNS records pushed to a name server by dynamic update (RFC 2136), signed with TSIG (RFC 8945).

PRIVATE to the mailops.autoconfig collection: names and behaviour may change with any release.
Python 3.9 syntax and dnspython, because it runs on the controller or on a managed host.

Data flows one way: ``records`` (input) -> ``server`` (what is there) -> ``plan`` (pure) -> ``server`` (updates); ``push`` joins
them. Only ``exchange`` talks to the network.
"""
