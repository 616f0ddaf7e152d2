"""The commands, each loaded when it is called; ``cli`` knows where each stands."""
