"""What the oracle believes of a real server, and what it says when somebody changed things there."""

import json
import urllib.request

import pytest

from mmal.annotation.batch import Batch, BatchImage
from mmal.errors import InputError
from mmal.fileio.text import read_json
from mmal.oracles.base import LabelsPending, Request
from mmal.oracles.label_studio import AnnotationServer
from tests.label_studio.annotator import Annotator
from tests.label_studio.proxy import Fault
from tests.label_studio.server import TOKEN

pytestmark = pytest.mark.label_studio
CATEGORIES = [dict(id=1, name='disc'), dict(id=2, name='square')]


class Data:
    has_files, classes = True, ('disc', 'square')


class Asked:
    """An oracle with a project of its own, and its requests of images in an order of their own."""

    def __init__(self, images, folder, url, title, **options):
        self.root, self.truth = images
        self.folder, self.url, self.title, self.options = folder, url, title, options
        self.annotator, self.categories = Annotator(url, title, self.truth), CATEGORIES

    def answer(self, ids, name='round_00', **options):
        options = dict(dict(url=self.url, project=self.title, chunk=2), **self.options, **options)
        oracle = AnnotationServer(Data(), **options)
        return oracle.answer(Request(ids, self.folder / name, lambda: self.batch(ids, name)))

    def batch(self, ids, name):
        seen = [dict(bbox=[5, 5, 20, 20], label=0, score=0.5)]
        files = {i['id']: i['file_name'] for i in self.truth['images']}
        return Batch(name, list(Data.classes), self.categories, str(self.root),
                     [BatchImage(i, files[i], rank, 64, 48, None, seen) for rank, i in enumerate(ids)])

    def wait(self, *args, **options):
        with pytest.raises(LabelsPending):
            self.answer(*args, **options)

    def refused(self, *args, **options):
        with pytest.raises(InputError) as e:
            self.answer(*args, **options)
        return str(e.value)


@pytest.fixture
def asked(server, images, tmp_path):
    return Asked(images, tmp_path, server.url, tmp_path.name)


def test_labels_come_in_best_first_with_who_and_how_long(asked):
    asked.wait([5, 3, 2, 7])
    asked.annotator.label()
    answer = asked.answer([5, 3, 2, 7])
    assert (answer.ids, answer.skipped) == ([5, 3, 2], [7])
    assert answer.seconds == {5: 5.0, 3: 3.0, 2: 2.0}
    assert {a['image_id'] for a in answer.annotations} == {5, 3}, '2 shows nothing'
    labels = read_json(asked.folder / 'round_00' / 'labels.json')
    assert {e['who'] for e in labels['entries'].values()} == {asked.annotator.user}
    truth = [a['bbox'] for a in asked.truth['annotations'] if a['image_id'] == 5]
    assert [a['bbox'] for a in answer.annotations if a['image_id'] == 5] == [pytest.approx(b) for b in truth]


def test_classes_of_whole_images(asked):
    asked.categories = []
    asked.wait([1, 3])
    chosen = dict(type='choices', from_name='label', to_name='image', value=dict(choices=['square']))
    for task in asked.annotator.tasks():
        assert task.predictions[0].result[0]['value'] == dict(choices=['disc'])
        asked.annotator.client.annotations.create(task.id, result=[chosen])
    assert asked.answer([1, 3]).annotations == [dict(id=1, label=1), dict(id=3, label=1)]


def test_people_see_the_predictions_of_the_newest_batch_and_the_images(asked, server):
    asked.options['storage'] = str(asked.root)
    asked.wait([1])
    asked.wait([3], name='round_01')
    assert asked.annotator.project.model_version == 'round_01'
    task = asked.annotator.tasks()[1]
    assert [r['value']['rectanglelabels'] for r in task.predictions[0].result] == [['disc']]
    request = urllib.request.Request(server.url + task.data['image'], headers=dict(Authorization=f'Token {TOKEN}'))
    with urllib.request.urlopen(request) as image:
        assert image.read() == (asked.root / task.data['file_name']).read_bytes()
    assert len(asked.annotator.client.import_storage.local.list(project=task.project)) == 1


def test_a_personal_access_token_works_and_a_revoked_one_is_named(asked, server, monkeypatch):
    request = urllib.request.Request(f'{server.url}/api/token/', method='POST',
                                     headers=dict(Authorization=f'Token {TOKEN}'))
    with urllib.request.urlopen(request) as answer:
        made = json.load(answer)['token']
    monkeypatch.setenv('LABEL_STUDIO_API_KEY', made)
    asked.wait([1])
    monkeypatch.setenv('LABEL_STUDIO_API_KEY', 'f' * 40)
    said = asked.refused([1])
    assert 'does not accept the token in LABEL_STUDIO_API_KEY (Invalid token)' in said
    assert 'f' * 40 not in said


def test_a_label_config_edited_by_hand_is_told(asked):
    asked.wait([1])
    client, project = asked.annotator.client, asked.annotator.project
    client.projects.update(project.id, label_config=client.projects.get(project.id).label_config.replace(
        'disc', 'disk'))
    said = asked.refused([1])
    assert "expected the classes ['disc', 'square'], found ['disk', 'square']" in said
    assert 'label_studio.xml' in said


def test_removed_tasks_are_told_or_done_without(asked):
    asked.wait([1, 3, 4])
    tasks = asked.annotator.tasks()
    asked.annotator.client.tasks.delete(tasks[1].id)
    said = asked.refused([1, 3, 4])
    assert 'had 3 tasks of batch round_00, and has 2: 1 were removed there' in said
    asked.annotator.label()
    assert asked.answer([1, 3, 4], partial=True).ids == [1, 4]


def test_a_project_that_is_gone_is_told(asked):
    asked.wait([1])
    asked.annotator.client.projects.delete(asked.annotator.project.id)
    for name in ('round_00', 'round_01'):
        assert 'has no project' in asked.refused([1], name=name)


def test_a_project_of_another_run_is_told(asked, tmp_path):
    asked.wait([1, 3])
    asked.folder = tmp_path / 'another'
    assert 'has 1 tasks of a batch round_00 that this run does not ask for' in asked.refused([1])
    asked.title = 'another one'
    asked.wait([1])


def test_an_answer_that_is_not_one_brings_nothing_in(asked):
    asked.wait([1, 3])
    for task, label in zip(asked.annotator.tasks(), ('disc', 'zebra'), strict=True):
        region = dict(asked.annotator.regions(1)[0], from_name='label')
        region['value'] = dict(region['value'], rectanglelabels=[label])
        asked.annotator.client.annotations.create(task.id, result=[region])
    said = asked.refused([1, 3])
    assert "'zebra' is no class of this project" in said
    assert asked.url in said
    assert read_json(asked.folder / 'round_00' / 'labels.json')['entries'] == {}


@pytest.mark.parametrize('when', ['answered', 'half'])
def test_a_lost_answer_to_a_push_makes_no_second_tasks(asked, proxy, when):
    asked.url, proxy.fault = proxy.url, Fault('POST /import', 2, when, lambda: None)
    assert 'pushing 5 tasks' in asked.refused([5, 4, 3, 2, 1])
    asked.wait([5, 4, 3, 2, 1])
    assert [t.data['image_id'] for t in asked.annotator.tasks()] == [5, 4, 3, 2, 1]


def test_a_server_that_does_not_answer_is_given_up(asked, proxy):
    asked.wait([1])
    asked.url, proxy.delay = proxy.url, 3
    assert 'did not answer within 1 s' in asked.refused([1], timeout=1)


def test_waiting_goes_on_over_a_lost_connection(asked, proxy):
    asked.wait([1])
    look = f'GET /api/projects/{asked.annotator.project.id}/'  # the first finds the project, the second is of the wait
    asked.url, proxy.fault = proxy.url, Fault(look, 2, 'answered', asked.annotator.label)
    assert asked.answer([1], wait=60, poll=1).ids == [1]
