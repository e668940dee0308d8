"""The greatest input of every window, and where it was."""
