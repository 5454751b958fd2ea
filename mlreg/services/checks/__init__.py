"""The checks of `doctor`, a module for each family; `mlreg.services.health` lists them."""
