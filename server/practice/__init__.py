"""The practice site: a small social site with real forms, served beside the server for the demo and the tests."""
