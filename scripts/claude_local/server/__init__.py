"""What speaks llama-server's language: flags, HTTP, router, log, chat templates."""
