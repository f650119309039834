"""What runs llama-server: `docker`, `embedded` or `external`. A new one: its file, and a line in `registry`."""
