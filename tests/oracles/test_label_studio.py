"""What can be said without a Label Studio server; tests/label_studio/ has the rest."""

import base64
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from mmal.annotation.batch import Batch, BatchImage
from mmal.annotation.export import write_batch
from mmal.annotation.label_store import LabelStore
from mmal.annotation.validation import ValidatedLabels
from mmal.errors import InputError
from mmal.oracles.base import Request
from mmal.oracles.label_studio import PUSH_RECORD, AnnotationServer

pytest.importorskip('label_studio_sdk', reason="its client is not installed with openmmlab's stack")


class Data:
    has_files, classes = True, ('cat', 'dog')


def jwt(**claims):
    """An unsigned token with these claims."""
    parts = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b'=').decode()
             for p in (dict(alg='HS256', typ='JWT'), claims, 'x')]
    return '.'.join(parts)


@pytest.fixture(autouse=True)
def _token(monkeypatch):
    monkeypatch.setenv('LABEL_STUDIO_API_KEY', 'a' * 40)


@pytest.fixture
def request_(tmp_path):
    batch = Batch('round_00', ['cat', 'dog'], [], '/images', [BatchImage(1, '1.png', 0)])
    return Request([1], tmp_path / 'round_00', lambda: batch)


@pytest.fixture
def refused(request_):
    def ask(**options):
        with pytest.raises(InputError) as e:
            AnnotationServer(Data(), **options).answer(request_)
        return str(e.value)
    return ask


@pytest.fixture
def serving():
    """Starts a server that answers everything with one status and body; gives its url."""
    servers = []

    def start(status, body):
        def answer(self):
            self.send_response(status)
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        handler = type('Handler', (BaseHTTPRequestHandler, ), dict(do_GET=answer, do_POST=answer,
                                                                  log_message=lambda *a: None))
        servers.append(HTTPServer(('127.0.0.1', 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f'http://127.0.0.1:{servers[-1].server_address[1]}'

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(('token', 'message'), [(None, 'which is not set'), (' ', 'which is not set'),
                                                ('top secret', 'characters that no token has')])
def test_the_token_is_looked_for_at_once_and_never_repeated(monkeypatch, token, message):
    monkeypatch.delenv('LABEL_STUDIO_API_KEY')
    if token is not None:
        monkeypatch.setenv('LABEL_STUDIO_API_KEY', token)
    with pytest.raises(InputError, match=message) as e:
        AnnotationServer(Data())
    assert 'secret' not in str(e.value)


def test_the_sdk_is_looked_for_at_once(monkeypatch):
    monkeypatch.setattr('mmal.annotation.label_studio_client.find_spec', lambda name: None)
    with pytest.raises(InputError, match=r'pip install "mmal\[label-studio\]"'):
        AnnotationServer(Data())


@pytest.mark.parametrize(('options', 'message'), [
    (dict(url='127.0.0.1:8080'), 'expected e.g. http'), (dict(url='http://me:pass@host'), 'name or password'),
    (dict(project='x'), '3 to 50 characters'), (dict(poll=0), 'oracle.poll: expected a number of at least 1'),
    (dict(wait='1h'), 'oracle.wait')])
def test_arguments_that_cannot_work_are_refused(options, message):
    with pytest.raises(InputError, match=message) as e:
        AnnotationServer(Data(), **options)
    assert 'pass@' not in str(e.value)


def test_a_server_that_is_not_there_is_told_and_nothing_noted(refused, request_):
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        url = f'http://127.0.0.1:{s.getsockname()[1]}'
    said = refused(url=url)
    assert f'Expected a Label Studio server at {url}' in said
    assert 'refused' in said
    assert not (request_.folder / 'to_label' / PUSH_RECORD).exists()
    assert not (request_.folder / 'labels.json').exists()


def test_an_expired_token_is_told(refused, monkeypatch):
    monkeypatch.setenv('LABEL_STUDIO_API_KEY', expired := jwt(exp=1, token_type='refresh'))
    said = refused()
    assert 'does not accept the token in LABEL_STUDIO_API_KEY (API key has expired' in said
    assert expired not in said


@pytest.mark.parametrize(('status', 'body', 'message'), [
    (401, b'{"detail": "Invalid token."}', 'does not accept the token in LABEL_STUDIO_API_KEY (Invalid token)'),
    (403, b'{"detail": "No."}', 'Whoever owns the token must be a member'),
    (500, b'oops', 'failed when looking for project \'mmal\': 500 oops'),
    (200, b'<html>hello</html>', 'does not answer as Label Studio does'),
    (404, b'<html>' + 1000 * b'x', 'Is it Label Studio')])
def test_other_answers_are_told_in_one_line(serving, refused, status, body, message):
    said = refused(url=serving(status, body))
    assert message in said
    assert '\n' not in said
    assert len(said) < 700


def test_a_batch_that_is_labeled_needs_no_server(request_):
    write_batch(request_.make_batch(), request_.folder)
    labels = LabelStore().merged_with(ValidatedLabels({'1': dict(label=1)}), '')
    labels.write(request_.folder, request_.make_batch())
    assert AnnotationServer(Data()).answer(request_).annotations == [dict(id=1, label=1)]
