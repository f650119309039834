"""The API on port 8081 and its page, and what it watches: restarts, events, the model in memory."""
