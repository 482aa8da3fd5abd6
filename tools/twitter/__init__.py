"""X (twitter.com): posts, replies, quotes, likes and reposts."""
