"""What the command `mmal` and the scripts in ``tools/`` do, one module per subcommand."""
