"""One YAML file is one model: which keys it may have, what its values mean, what a mistake in it is called."""
