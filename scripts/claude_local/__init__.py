"""claude-local: Claude Code on a model that runs on your own machine."""
