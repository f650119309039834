"""What a person types and sees: tasks by subject, the picker, progress, tables."""
