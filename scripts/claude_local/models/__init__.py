"""Model files: the hub, downloads, checksums, files on disk, new profiles."""
