"""Notifications: how messages about incidents leave the machine, each kind of channel in a file of ``kinds``."""
