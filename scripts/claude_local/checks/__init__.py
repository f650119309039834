"""Proofs that a person can run: doctor, verify, benchmarks, the checks of a new image."""
