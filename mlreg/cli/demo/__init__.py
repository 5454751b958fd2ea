"""The demo: a plan of shell commands on real data, and what runs and shows them."""
