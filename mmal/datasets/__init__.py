"""Data that mmal makes itself."""
