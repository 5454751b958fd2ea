"""Inference on sufficient statistics: pure functions, no rows, no SQL, no printing.

Import the module you need (`from mlreg.stats.proportions import wilson`). Nothing is imported
here, because each module brings its own share of numpy and scipy and most commands need none of
it.
"""
