"""What images are, and what becomes of them: decisions about names, manifests, layers and uploads."""
