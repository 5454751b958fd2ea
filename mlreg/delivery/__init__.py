"""What leaves: requests, programs, people's channels. It knows no registry, and never raises."""
