"""The supervisor's desk: tonight's routes in memory, and what any change of them costs in minutes."""
