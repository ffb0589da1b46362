"""Take a trained network home: a folder that needs no raynas."""
