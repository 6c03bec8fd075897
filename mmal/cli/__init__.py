"""What the command `mmal` and the tools do."""
