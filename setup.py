"""Packaging.

No mm* package and no torch is required here: both host stacks own the same folders, and installing
one over the other breaks both. The extras name them.
"""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def requirements(name: str) -> list[str]:
    lines = (HERE / 'requirements' / f'{name}.txt').read_text().split('\n')
    return [line for line in lines if line and not line.startswith(('#', '-r'))]


version: dict = {}
exec((HERE / 'mmal' / 'version.py').read_text(), version)

setup(
    name='mmal',
    version=version['__version__'],
    description='Active learning for mmdetection and mmpretrain by influence selection (ISAL)',
    long_description=(HERE / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmal', 'mmal.*']),
    # .mim holds links to tools/ and configs/, and is copied as files: what `mim` runs from an
    # installed package.
    package_data={
        'mmal': [
            'py.typed',
            '.mim/model-index.yml',
            '.mim/**/*.py',
            '.mim/**/*.sh',
            '.mim/**/*.yml',
        ],
        'mmal.benchmark.isal_paper': ['paper_tables.json'],
        'mmal.project': ['*.j2'],
        'mmal.reporting': ['templates/*'],
    },
    entry_points={'console_scripts': ['mmal = mmal.cli.__main__:main']},
    python_requires='>=3.10',
    install_requires=requirements('runtime'),
    extras_require={
        'onedl': requirements('torch') + requirements('onedl'),
        'openmmlab': requirements('openmmlab-torch') + requirements('openmmlab'),
        'mim': requirements('openmmlab'),
        'demo': requirements('demo'),
        'slurm': requirements('slurm'),
        'label-studio': requirements('label-studio'),
        'mlflow': requirements('mlflow'),
        'wandb': requirements('wandb'),
        'docs': requirements('docs'),
        'tests': requirements('demo')
        + requirements('slurm')
        + requirements('label-studio')
        + requirements('tests'),
    },
)
