"""What invoke doctor checks: one file per subject."""
