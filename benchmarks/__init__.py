"""What is timed, against whom, and the last figures with the name of the machine."""
