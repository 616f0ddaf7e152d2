"""Messages: what a channel is sent about incidents, once when one opens and once when it is over.

Nothing is queued. Which messages are due follows from the incidents as they are, from the log of deliveries of the
channel, from its rules and from the time (``due``), so that a process that dies loses no message. What was sent is
found again by days and root cause (``journal``), since an incident is derived and may change its first day.
"""
