"""The on-disk formats: atomic shards, manifest, resume, failure ledger. Knows bytes, not what numbers mean."""
