"""attacca: serverless functions on your own machines, and a laboratory for those who study how."""

__version__ = "0.1.0"
