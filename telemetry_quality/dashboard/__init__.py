"""The health dashboard and its JSON API: the store's content for staff and their machines, whatever else is down.

It never imports the orchestration and never reads events; it writes only accounts, sessions and incident actions.
"""
