"""Reports: one file of HTML about the last days of some sources, for people without access to anything else.

``gathering`` asks the store, ``drawing`` makes pictures of numbers, and ``writing`` puts both into the template.
"""
