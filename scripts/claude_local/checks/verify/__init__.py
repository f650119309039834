"""Diversions and escapes that are tried on a session, and what held."""
