"""The recipe `mood`; see README.md."""
