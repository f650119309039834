"""Claude Code's environment, settings, jail lists and image, and its installation in the home folder."""
