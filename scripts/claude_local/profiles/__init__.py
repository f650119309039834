"""Profiles: one YAML file per model. Its keys and values, and the messages for mistakes."""
