"""What the numbers say: sums in, a sentence out. Pure; it knows neither the store nor the clock."""
