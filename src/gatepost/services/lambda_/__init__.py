"""AWS Lambda: functions, permissions, and the workers that run them."""
