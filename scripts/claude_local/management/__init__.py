"""The API on port 8081, its page, and the background work: watching the engine, restarts, events."""
