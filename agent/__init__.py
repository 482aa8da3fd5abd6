"""The worker, the engines and the browsers: what carries a task out."""
