"""What runs llama-server: `docker`, `embedded` or `external`, behind one interface.
