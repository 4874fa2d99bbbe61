"""Keys of the installation itself: made here, kept encrypted, replaced without a pause."""
