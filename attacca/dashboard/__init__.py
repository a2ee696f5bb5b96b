"""The dashboard: pages for people, which ask the admin API as any other client does."""
