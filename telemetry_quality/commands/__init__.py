"""The commands, each loaded when it is called; ``cli`` maps names to modules."""
