"""Where grid workers truly walked: tracks of points brought onto streets, judged, and compared with the plan."""
