"""Up, switch, down and recovery: checks first, one at a time, back to the old model on failure."""
