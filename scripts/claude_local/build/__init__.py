"""Files made from templates: the build/ folder and the llama-server image."""
