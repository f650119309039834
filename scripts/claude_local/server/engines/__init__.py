"""What runs llama-server: `docker`, `embedded` or `external`, behind one interface.

A new one needs its own file and a line in `registry`.
"""
