"""Multiplies a matrix of its own with each vector that comes, and sends the product on; the first of a chain makes the
vectors. Each tells when it began and ended, and the ends of the chain when a vector went and came."""

import random
from operator import mul
from typing import Any


class VectorMul:
    def init(self, ctx: Any, payload: Any, state: Any) -> None:
        told = dict(part.split("=") for part in payload.text.split(","))
        size, chance = int(told.get("input_size", 100)), random.Random(int(told.get("seed", 0)))
        self.is_first, self.is_last = told.get("is_first") == "true", told.get("is_last") == "true"
        self.matrix = [[chance.uniform(-1, 1) for _ in range(size)] for _ in range(size)]
        self.chance, self.count = chance, int(state or 0)
        if self.is_first:
            ctx.delayed_cast(0.1, "self")

    def cast(self, ctx: Any, source: str, message: Any) -> None:
        if self.is_first:
            self.count += 1
            ctx.sync(str(self.count))
            number, vector = str(self.count), [self.chance.uniform(-1, 1) for _ in self.matrix]
            ctx.cast("metric", f"workflow:begin:{number}")
        else:
            number, *parts = message.text.split(",")
            vector = [float(part) for part in parts]
        ctx.cast("metric", f"function:begin:{number}")
        product = [sum(map(mul, row, vector)) for row in self.matrix]
        ctx.cast("metric", f"function:end:{number}")
        if self.is_last:
            ctx.cast("metric", f"workflow:end:{number}")
        ctx.cast("out", ",".join([number, *map(str, product)]))
