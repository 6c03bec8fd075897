"""A Label Studio server, through label-studio-sdk: projects, tasks and the raw JSON export; its faults in words."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

from mmal.annotation.formats.label_studio import CONTROL, OBJECT
from mmal.errors import InputError

TOKEN = 'LABEL_STUDIO_API_KEY'
WHERE = 'Account & Settings > Access Token'
INSTALL = 'pip install "mmal[label-studio]"'
PAGE = 10_000
"""Tasks a request when they are listed: pages shift if somebody deletes a task meanwhile."""


class Unreachable(InputError):
    """The server does not answer, or not to the end; it may again."""


def token() -> str:
    """The token, from the environment and nowhere else.

    Raises:
        InputError: If there is none, or what is there cannot be one; it is not repeated in the message.
    """
    found = os.environ.get(TOKEN, '').strip()
    if not found:
        raise InputError(
            f'The token of Label Studio is expected in the environment variable {TOKEN}, which is not '
            f'set. Copy one from {WHERE} there, then: export {TOKEN}=...'
        )
    if not (found.isascii() and found.isprintable() and ' ' not in found):
        raise InputError(f'{TOKEN} holds characters that no token has. Copy it again from {WHERE}.')
    return found


def require_sdk() -> None:
    """Look for label-studio-sdk without importing it, which takes seconds.

    Raises:
        InputError: If it is not installed.
    """
    if find_spec('label_studio_sdk') is None:
        raise InputError(
            f'AnnotationServer needs label-studio-sdk, which is not installed. Install it: {INSTALL}'
        )


def check_url(url: str) -> str:
    """The url without a slash at its end.

    Raises:
        InputError: If it is none, or holds a password.
    """
    parts = urlsplit(url)
    if parts.scheme not in ('http', 'https') or not parts.hostname:
        raise InputError(
            f'train_cfg.oracle.url: expected e.g. http://127.0.0.1:8080, found {url!r}.'
        )
    if parts.username or parts.password:
        raise InputError(
            f'train_cfg.oracle.url: holds a name or password, which would be kept in config files. Remove '
            f'it; a token goes into the environment variable {TOKEN}.'
        )
    return url.rstrip('/')


def config_differs(found: str, wanted: str) -> str | None:
    """How a label config differs in what labels depend on, in words; None if it fits.

    Colors, hotkeys, help texts and the order of classes are the user's.
    """
    try:
        found, wanted = (_essence(text) for text in (found, wanted))
    except ElementTree.ParseError as e:
        return f'it is not XML ({e})'
    return next(
        (
            f'expected {name} {wanted[name]}, found {found[name]}'
            for name in wanted
            if found[name] != wanted[name]
        ),
        None,
    )


def _essence(text: str) -> dict[str, Any]:
    """What labels depend on in a label config."""
    tags = list(ElementTree.fromstring(text).iter())
    control = next((t for t in tags if t.get('name') == CONTROL), None)
    image = next((t for t in tags if t.get('name') == OBJECT), None)
    classes = (
        [] if control is None else [t.get('value') for t in control if t.tag in ('Label', 'Choice')]
    )
    shown = image is not None and f'<{image.tag} value="{image.get("value")}">'
    asked = (
        control is not None
        and f'<{control.tag} toName="{control.get("toName")}"{_choice(control)}>'
    )
    return {
        f'a tag named {OBJECT!r}': shown or 'none',
        f'a tag named {CONTROL!r}': asked or 'none',
        'the classes': sorted(map(str, classes)),
        'tags that take answers named': sorted(str(t.get('name')) for t in tags if t.get('toName')),
    }


def _choice(control: ElementTree.Element) -> str:
    """Whether an image has one class or several, of choices."""
    several = control.get('choice') == 'multiple'
    return f' choice="{"multiple" if several else "single"}"' if control.tag == 'Choices' else ''


class LabelStudioServer:
    """The few things that are asked of a server.

    Args:
        url: Of the server.
        timeout: Seconds to wait for an answer.

    Raises:
        InputError: If label-studio-sdk is missing or the token is no good. So do all methods, if the server does not
            answer (:class:`Unreachable`) or refuses.
    """

    def __init__(self, url: str, timeout: float = 120) -> None:
        self.url, self._timeout = check_url(url), timeout
        require_sdk()
        key = token()
        from label_studio_sdk import LabelStudio

        with self._explained('logging in'):
            # a request that is sent again, as the SDK would, might push tasks twice
            self._client = LabelStudio(
                base_url=self.url,
                api_key=key,
                timeout=timeout,
                max_retries=0,
                follow_redirects=False,
            )  # the token is for this address alone

    def page(self, project: int) -> str:
        """Where people label a project."""
        return f'{self.url}/projects/{project}/data'

    def find(self, title: str) -> Any:
        """The project of this title, or None; it has ``id``, ``title`` and ``label_config``."""
        with self._explained(f'looking for project {title!r}'):
            found = [
                p.id for p in self._client.projects.list(title=title) if p.title == title
            ]  # asked for: "contains"
            if len(found) > 1:
                raise InputError(
                    f'{self.url} has {len(found)} projects named {title!r}: {found}. Rename all but one, '
                    'or name another by train_cfg.oracle.project.'
                )
            return self._client.projects.get(found[0]) if found else None

    def create(self, title: str, config: str) -> Any:
        with self._explained(f'creating project {title!r}'):
            return self._client.projects.create(title=title, label_config=config)

    def serve_images(self, project: int, path: str) -> None:
        """Let a project show images below a folder of the server's machine."""
        with self._explained(
            f'allowing the images in {path} (train_cfg.oracle.storage; the server needs '
            'LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and, as '
            'LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT, the folder above)'
        ):
            local = self._client.import_storage.local
            if path not in [s.path for s in local.list(project=project)]:
                local.create(project=project, path=path, title='mmal')

    def tasks(self, project: int) -> list[Any]:
        """All tasks, with ``id``, ``data``, ``total_annotations`` and ``cancelled_annotations``."""
        with self._explained(f'listing the tasks of project {project}'):
            return list(
                self._client.tasks.list(
                    project=project,
                    fields='task_only',
                    page_size=PAGE,
                    include='id,data,total_annotations,cancelled_annotations',
                )
            )

    def done(self, project: int) -> tuple:
        """Numbers that change when people label; cheap to ask for."""
        with self._explained(f'asking for project {project}'):
            found = self._client.projects.get(project)
            return (
                found.task_number,
                found.num_tasks_with_annotations,
                found.total_annotations_number,
                found.skipped_annotations_number,
            )

    def push(self, project: int, tasks: list[dict], chunk: int) -> None:
        """Add tasks in their order, so many a request."""
        rest = iter(tasks)
        with self._explained(f'pushing {len(tasks)} tasks to project {project}'):
            while part := list(islice(rest, chunk)):
                self._client.projects.import_tasks(project, request=part)

    def show_predictions(self, project: int, model_version: str) -> None:
        """Whose predictions people see; the server itself stays with the first it was ever given."""
        with self._explained(f'setting up project {project}'):
            self._client.projects.update(project, model_version=model_version)

    def export(self, project: int) -> list:
        """The raw JSON export of all tasks, with names in place of numbers of who labeled."""
        with self._explained(f'downloading the export of project {project}'):
            content = self._client.projects.exports.as_binary(project, timeout=self._timeout)
            try:
                tasks = json.loads(content)
            except ValueError as e:
                raise Unreachable(
                    f'{self.url} sent an export of project {project} that is not whole JSON ({e}). '
                    'Nothing was imported; call again with --resume.'
                ) from None
        if not isinstance(tasks, list):
            raise InputError(
                f'{self.url}: expected a list of tasks as export of project {project}, found '
                f'{type(tasks).__name__}.'
            )
        self._name_people(tasks)
        return tasks

    def _name_people(self, tasks: list) -> None:
        made = [
            a
            for t in tasks
            if isinstance(t, dict)
            for a in t.get('annotations') or []
            if isinstance(a, dict)
        ]
        if any(isinstance(a.get('completed_by'), int) for a in made):
            with self._explained('asking who labeled'):
                names = {u.id: u.email for u in self._client.users.list()}
            for annotation in made:
                by = annotation.get('completed_by')
                annotation['completed_by'] = names.get(by, by) if isinstance(by, int) else by

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        import httpx
        from label_studio_sdk.core.api_error import ApiError

        try:
            yield
        except httpx.TimeoutException:
            raise Unreachable(
                f'{self.url} did not answer within {self._timeout} s when {doing}. Call again with '
                '--resume, nothing is done twice; train_cfg.oracle.timeout gives it longer.'
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL) as e:
            raise Unreachable(
                f'Expected a Label Studio server at {self.url}, but {doing} failed: {e}. Start it, or '
                'mend train_cfg.oracle.url; then call again with --resume, nothing is done '
                'twice.'
            ) from None
        except ApiError as e:
            raise self._refused(e, doing) from None

    def _refused(self, error: Any, doing: str) -> InputError:
        status, said = error.status_code or 0, said_by(error.body)
        if status == 401:
            return InputError(
                f'{self.url} does not accept the token in {TOKEN} ({said}): it may be expired, revoked, '
                f"or another server's. Copy one from {WHERE} there, export it, and call again with "
                '--resume.'
            )
        if status < 400:
            return InputError(
                f'{self.url} does not answer as Label Studio does when {doing}: {said}. Mend '
                'train_cfg.oracle.url, or update the server.'
            )
        if status >= 500:
            return Unreachable(
                f'{self.url} failed when {doing}: {status} {said}. Its log says why; then call again '
                'with --resume.'
            )
        cure = {
            403: 'Whoever owns the token must be a member of the project',
            404: 'Is it Label Studio, and is the project still there? See to it',
        }.get(status, 'Mend that')
        return InputError(
            f'{self.url} refused {doing}: {status} {said}. {cure}; then call again with --resume.'
        )


def said_by(body: Any) -> str:
    """A server's own words on what is wrong, cut to a line."""
    if isinstance(body, dict):
        wrong = body.get('validation_errors')
        lists = [
            t if isinstance(t, list) else [t]
            for t in (wrong.values() if isinstance(wrong, dict) else ())
        ]
        body = ' '.join(map(str, filter(None, [body.get('detail'), *sum(lists, [])]))) or body
    text = ' '.join(str(body).split())
    return (text[:300] + ' ...' if len(text) > 300 else text).rstrip('.')
