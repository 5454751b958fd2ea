"""Rules: one module for each noun, one transaction for each operation. Nothing here prints."""
