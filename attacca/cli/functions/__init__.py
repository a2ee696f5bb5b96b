"""Verbs for functions: write, deploy, invoke, look, take back."""
