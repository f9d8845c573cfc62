"""Mail client autoconfiguration as data, documents, Apache sites and DNS records.

PRIVATE to the mailops.autoconfig collection: names and behaviour may change with any release.
Standard library only, Python 3.9 syntax, because it runs on the managed hosts.

Data flows one way: ``input`` -> ``documents``, ``dns``, ``apache`` -> ``plan`` -> ``host``; ``run`` leads through it.
Only ``host`` reads or writes the host.
"""
