"""The built-in kinds of channels; see ``notifiers`` for what each declares."""
