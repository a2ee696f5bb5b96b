"""From an upload to what lies on the disk for a revision, and what is removed from there again."""
