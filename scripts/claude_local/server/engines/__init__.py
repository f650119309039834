"""The engines that run llama-server, `docker`, `embedded` and `external`, behind one interface.

A new engine needs its own file and a line in `registry`.
"""
