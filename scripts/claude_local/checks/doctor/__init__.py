"""What invoke doctor looks at: one file per subject."""
