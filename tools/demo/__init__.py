"""The practice site that comes with Webhand: for trying it, and for its tests."""
