"""Plain data and readers that touch nothing: errors, the snapshot, strict YAML and JSON, GGUF headers, figures."""
