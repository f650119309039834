"""Attacks tried on a session, and whether they were stopped."""
