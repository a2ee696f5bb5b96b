"""The domain as EDGELESS's tools read it in a Redis database, and the intents that they leave there."""
