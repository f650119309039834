"""Plain data and pure readers: errors, the snapshot, strict YAML and JSON, GGUF headers, figures."""
