"""The way of files, with a real server: one project for all batches, and photos that people put in by themselves."""

import pytest

from mmal.annotation.batch import Batch, BatchImage
from mmal.annotation.export import write_batch
from mmal.annotation.importer import import_file
from mmal.annotation.label_store import LabelStore
from tests.label_studio.server import TOKEN

pytestmark = pytest.mark.label_studio
REGION = dict(type='rectanglelabels', from_name='label', to_name='image', original_width=64, original_height=48,
              image_rotation=0, value=dict(x=10, y=10, width=50, height=50, rotation=0, rectanglelabels=['square']))


class Project:
    """What people do in a browser, in a project with the label config of a batch."""

    def __init__(self, server, title, config):
        from label_studio_sdk import LabelStudio
        self.url, self.client = server.url, LabelStudio(base_url=server.url, api_key=TOKEN)
        self.id = self.client.projects.create(title=title, label_config=config.read_text()).id

    def upload(self, *paths):
        import httpx
        for path in paths:
            httpx.post(f'{self.url}/api/projects/{self.id}/import', files=dict(file=(path.name, path.read_bytes())),
                       headers=dict(Authorization=f'Token {TOKEN}'), timeout=60).raise_for_status()

    def label(self):
        for task in self.client.tasks.list(project=self.id):
            self.client.annotations.create(task.id, result=[REGION])

    def export(self, path):
        path.write_bytes(b''.join(self.client.projects.exports.download_sync(self.id, export_type='JSON')))
        return path


@pytest.fixture
def written(images, tmp_path):
    """Writes a batch of these images; gives its folder."""
    root, truth = images
    files = {i['id']: i['file_name'] for i in truth['images']}

    def write(name, ids):
        asked = [BatchImage(i, files[i], rank, 64, 48) for rank, i in enumerate(ids)]
        write_batch(Batch(name, ['disc', 'square'], truth['categories'], str(root), asked), tmp_path / name)
        return tmp_path / name

    return write


def test_a_project_of_two_batches(server, written, tmp_path):
    first, second = written('initial', [1, 3]), written('round_00', [4, 5])
    project = Project(server, 'two batches', first / 'to_label/label_studio.xml')
    project.upload(*(folder / 'to_label/label_studio.json' for folder in (first, second)))
    project.label()
    export = project.export(tmp_path / 'export.json')
    for folder, ids, other in ((first, {'1', '3'}, 'round_00'), (second, {'4', '5'}, 'initial')):
        said = import_file(folder, export)
        assert '2 images newly labeled, 0 changed, 2 boxes in the file' in said
        assert f'2 tasks of other batches ({other}) passed over' in said
        assert set(LabelStore.read(folder).entries) == ids


def test_photos_put_in_by_themselves(server, images, written, tmp_path):
    folder = written('round_00', [1, 3])
    project = Project(server, 'photos', folder / 'to_label/label_studio.xml')
    project.upload(*(images[0] / i.file_name for i in Batch.read(folder).images))
    project.label()
    assert '2 images newly labeled' in import_file(folder, project.export(tmp_path / 'export.json'))
