"""What Claude Code gets: environment, settings, the jail's lists, its image, what is installed in the home folder."""
