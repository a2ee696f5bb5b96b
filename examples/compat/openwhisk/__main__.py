"""An OpenWhisk action with more than one file."""

from rates import RATES


def main(args):
    amount = float(args.get("amount", 1))
    to = args.get("to", "EUR")
    if to not in RATES:
        return {"error": f"no rate for {to}"}
    return {"amount": round(amount * RATES[to], 2), "in": to}
