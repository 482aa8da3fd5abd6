"""The live view: a page, RFB over WebSocket, take-over, and what a person does in it."""
