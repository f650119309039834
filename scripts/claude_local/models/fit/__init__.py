"""Whether a model fits: from llama-fit-params, else computed from the file, else from its size."""
