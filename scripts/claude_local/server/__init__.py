"""Everything specific to llama-server: flags, HTTP, router, log, chat templates."""
