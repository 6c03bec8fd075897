class InputError(ValueError):
    """Something the user gave cannot work.

    The message says what was expected, what was found and what to do. ``tools/al_train.py`` prints it
    without a traceback.
    """
