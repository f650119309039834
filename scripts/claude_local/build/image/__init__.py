"""The llama-server image: pins, exact command, progress and failures of a build, rollback."""
