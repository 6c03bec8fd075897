"""al_train.py under the name that `mim train mmal CONFIG` asks for."""

from al_train import main

if __name__ == '__main__':
    main()
