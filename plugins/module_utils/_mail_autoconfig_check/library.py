"""dnspython, or the reason why it is not there: Ansible wants to import every file without it.

PRIVATE to the collection. The other files take ``dns`` from here and use it in functions only.
"""

from __future__ import annotations

import traceback
import typing as t

# The oldest that the tests ran with: Debian 12's.
OLDEST = (2, 3)

try:
    import dns
    import dns.exception
    import dns.flags
    import dns.message
    import dns.name
    import dns.query
    import dns.rcode
    import dns.rdatatype
    import dns.resolver
    import dns.version
except ImportError:
    MISSING = traceback.format_exc()
    dns = t.cast(t.Any, None)
else:
    MISSING = "" if (dns.version.MAJOR, dns.version.MINOR) >= OLDEST else f"dnspython is only {dns.version.version}"

__all__ = ["MISSING", "OLDEST", "dns"]
