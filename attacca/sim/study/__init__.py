"""Many runs of one scenario: what is varied, where the runs are made, and what each came to."""
