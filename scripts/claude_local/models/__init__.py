"""Model files: the hub, downloads, checksums, what lies on the disk, new profiles for them."""
