"""What is remembered: rows, and the verbs that change their state. Knows neither the tools nor the floors above."""
