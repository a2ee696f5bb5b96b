"""Dirigent's registration of functions, so that InVitro's loader drives attacca as it is."""
