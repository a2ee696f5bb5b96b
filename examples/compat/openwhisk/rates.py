RATES = {"EUR": 1.0, "CZK": 24.5}
