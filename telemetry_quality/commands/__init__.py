"""Commands that are more than a few lines, one file each; ``cli`` puts them together."""
