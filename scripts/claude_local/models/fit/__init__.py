"""Will a model fit: asked of llama-fit-params, else worked out from the file, else from its size."""
