"""Mail client autoconfiguration as data, documents, Apache sites and DNS records.

PRIVATE to the mailops.autoconfig collection: names and behaviour may change with any release.
Standard library only, Python 3.9 syntax, because it runs on the managed hosts.

Data flows one way, and ``run`` leads through it: options (``input``), survey (``host``), publications (``publication`` from
``documents``, ``dns`` and ``apache``), plan, transaction (``host``), report. Only ``host`` reads or writes the host.
"""
