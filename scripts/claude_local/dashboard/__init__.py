"""The dashboard in the terminal: a client of the management API, drawn from its Snapshot.

It can be closed and opened again at any time; the model keeps running. The entry point is `session`.
"""
