import json

import pytest

from tests.conftest import coco
from tests.label_studio.proxy import Proxy
from tests.label_studio.server import INSTALL, PROGRAM, TOKEN, Server


@pytest.fixture(scope='session')
def images(tmp_path_factory):
    """A folder with image files and a pool file without annotations; and the truth about it."""
    root = tmp_path_factory.mktemp('documents') / 'pool'
    root.mkdir()
    truth = coco(14, root)
    truth['annotations'] = [a for a in truth['annotations'] if a['image_id'] != 2]  # it shows nothing
    (root / 'train.json').write_text(json.dumps(dict(truth, annotations=[])))
    for name, seed, start in (('val', 1, 101), ('test', 2, 201)):
        (root / f'{name}.json').write_text(json.dumps(coco(4, root, seed, start=start)))
    return root, truth


@pytest.fixture(scope='session')
def server(images, tmp_path_factory):
    """The real one, started once."""
    if not PROGRAM.exists():
        pytest.exit(f'These tests start a Label Studio server, which is not installed. {INSTALL} installs it.', 2)
    server = Server(tmp_path_factory.mktemp('label_studio'), images[0].parent)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def proxy(server):
    """Between the oracle and the server, to let faults happen."""
    proxy = Proxy(server.port)
    yield proxy
    proxy.close()


@pytest.fixture(autouse=True)
def _token(monkeypatch):
    monkeypatch.setenv('LABEL_STUDIO_API_KEY', TOKEN)
