"""What a run looked like: digests of records, comparisons, figures, and the page and text that show them."""
