"""The health dashboard and its JSON API: what the store says, for staff and their machines, whatever else is down.

It never imports the orchestration and never reads events; it writes accounts, sessions and actions on incidents only.
"""
