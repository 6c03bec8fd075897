"""A Label Studio server, through label-studio-sdk: its projects, tasks and raw JSON export.

Faults of the server are explained in words.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from mmal.errors import InputError

from .formats.label_studio import Task
from .parsed import JsonObject

TOKEN_VARIABLE = 'LABEL_STUDIO_API_KEY'
"""Environment variable that holds the token."""
TOKEN_PAGE = 'Account & Settings > Access Token'
"""Where Label Studio shows the token."""
INSTALL_COMMAND = 'pip install "mmal[label-studio]"'
TASKS_PER_PAGE = 10_000
"""Tasks in one request when they are listed: pages shift if somebody deletes a task meanwhile."""
MAX_ERROR_CHARACTERS = 300
"""Characters of a server's own message that ours repeats at most."""


class ServerUnreachableError(InputError):
    """The server did not answer, or not to the end. A later request may succeed."""


def read_token() -> str:
    """Read the token from the environment, the only place where it is looked for.

    Raises:
        InputError: If there is none, or if it cannot be one. The message does not repeat it.
    """
    token = os.environ.get(TOKEN_VARIABLE, '').strip()
    if not token:
        raise InputError(
            f'The token of Label Studio is expected in the environment variable {TOKEN_VARIABLE}, '
            f'which is not set. Copy one from {TOKEN_PAGE} there, then: export {TOKEN_VARIABLE}=...'
        )
    if not (token.isascii() and token.isprintable() and ' ' not in token):
        raise InputError(
            f'{TOKEN_VARIABLE} holds characters that no token has. Copy it again from {TOKEN_PAGE}.'
        )
    return token


def require_sdk() -> None:
    """Check that label-studio-sdk is installed, without importing it, which takes seconds.

    Raises:
        InputError: If it is not installed.
    """
    if find_spec('label_studio_sdk') is None:
        raise InputError(
            'AnnotationServer needs label-studio-sdk, which is not installed. Install it: '
            f'{INSTALL_COMMAND}'
        )


def check_url(url: str) -> str:
    """Check the address of a server.

    Args:
        url: The address, for instance 'http://127.0.0.1:8080'.

    Returns:
        The address without a slash at its end.

    Raises:
        InputError: If it is no address, or holds a name or a password.
    """
    parts = urlsplit(url)
    if parts.scheme not in ('http', 'https') or not parts.hostname:
        raise InputError(
            f'train_cfg.oracle.url: expected e.g. http://127.0.0.1:8080, found {url!r}.'
        )
    if parts.username or parts.password:
        raise InputError(
            'train_cfg.oracle.url: holds a name or password, which would be kept in config files. '
            f'Remove it; a token goes into the environment variable {TOKEN_VARIABLE}.'
        )
    return url.rstrip('/')


class LabelStudioServer:
    """A Label Studio server, reduced to what an oracle needs from it.

    Every method raises :class:`ServerUnreachableError` if the server does not answer, and
    InputError if it refuses. The messages say what to do.

    Args:
        url: Address of the server.
        timeout: Seconds to wait for an answer. Defaults to 120.

    Attributes:
        url: Address of the server, without a slash at its end.

    Raises:
        InputError: If label-studio-sdk is missing, or the address or the token cannot be one.
    """

    def __init__(self, url: str, timeout: float = 120) -> None:
        self.url = check_url(url)
        self._timeout = timeout
        require_sdk()
        token = read_token()
        from label_studio_sdk import LabelStudio

        # the SDK is typed in part only
        make_client: Any = LabelStudio
        with self._explaining('logging in'):
            # The SDK would send a failed request again, and so might push tasks twice. A redirect
            # would give the token to another address.
            self._client = make_client(
                base_url=self.url,
                api_key=token,
                timeout=timeout,
                max_retries=0,
                follow_redirects=False,
            )

    def project_page(self, project: int) -> str:
        """The address where people label a project.

        Args:
            project: Id of the project.
        """
        return f'{self.url}/projects/{project}/data'

    def find_project(self, title: str) -> Any:
        """Find the project of a title.

        Args:
            title: Title of the project.

        Returns:
            The project, with ``id``, ``title`` and ``label_config``, or None.

        Raises:
            InputError: If several projects have this title.
        """
        with self._explaining(f'looking for project {title!r}'):
            # the server lists titles that contain this one
            listed = self._client.projects.list(title=title)
            ids = [project.id for project in listed if project.title == title]
            if not ids:
                return None
            if len(ids) > 1:
                raise InputError(
                    f'{self.url} has {len(ids)} projects named {title!r}: {ids}. Rename all but '
                    'one, or name another by train_cfg.oracle.project.'
                )
            return self._client.projects.get(ids[0])

    def create_project(self, title: str, config: str) -> Any:
        """Create a project.

        Args:
            title: Title of the project.
            config: Label config (XML).

        Returns:
            The project, with ``id``, ``title`` and ``label_config``.
        """
        with self._explaining(f'creating project {title!r}'):
            return self._client.projects.create(title=title, label_config=config)

    def serve_images(self, project: int, path: str) -> None:
        """Allow a project to show images below a folder of the server's machine.

        Args:
            project: Id of the project.
            path: Path of the folder there.
        """
        with self._explaining(
            f'allowing the images in {path} (train_cfg.oracle.storage; the server needs '
            'LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and, as '
            'LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT, the folder above)'
        ):
            local = self._client.import_storage.local
            allowed = [storage.path for storage in local.list(project=project)]
            if path not in allowed:
                local.create(project=project, path=path, title='mmal')

    def list_tasks(self, project: int) -> list[Any]:
        """List all tasks of a project.

        Args:
            project: Id of the project.

        Returns:
            Tasks with ``id``, ``data``, ``total_annotations`` and ``cancelled_annotations``.
        """
        with self._explaining(f'listing the tasks of project {project}'):
            return list(
                self._client.tasks.list(
                    project=project,
                    fields='task_only',
                    page_size=TASKS_PER_PAGE,
                    include='id,data,total_annotations,cancelled_annotations',
                )
            )

    def progress(self, project: int) -> tuple[Any, ...]:
        """Numbers that change when people label. They cost one small request.

        Args:
            project: Id of the project.
        """
        with self._explaining(f'asking for project {project}'):
            details = self._client.projects.get(project)
            return (
                details.task_number,
                details.num_tasks_with_annotations,
                details.total_annotations_number,
                details.skipped_annotations_number,
            )

    def push_tasks(self, project: int, tasks: Sequence[Task], chunk: int) -> None:
        """Add tasks to a project, in their order.

        Args:
            project: Id of the project.
            tasks: The tasks to add.
            chunk: Number of tasks in one request.
        """
        remaining = iter(tasks)
        with self._explaining(f'pushing {len(tasks)} tasks to project {project}'):
            while part := list(islice(remaining, chunk)):
                self._client.projects.import_tasks(project, request=part)

    def show_predictions(self, project: int, model_version: str) -> None:
        """Choose whose predictions people see; by itself the server stays with the first it got.

        Args:
            project: Id of the project.
            model_version: Version that the predictions have, in ours the name of a batch.
        """
        with self._explaining(f'setting up project {project}'):
            self._client.projects.update(project, model_version=model_version)

    def export_tasks(self, project: int) -> list[Any]:
        """Download the raw JSON export of all tasks, with annotators' names in place of numbers.

        Args:
            project: Id of the project.

        Raises:
            ServerUnreachableError: If the export is not whole.
            InputError: If it is not a list of tasks.
        """
        with self._explaining(f'downloading the export of project {project}'):
            content = self._client.projects.exports.as_binary(project, timeout=self._timeout)
            try:
                tasks = json.loads(content)
            except ValueError as e:
                raise ServerUnreachableError(
                    f'{self.url} sent an export of project {project} that is not whole JSON ({e}). '
                    'Nothing was imported; call again with --resume.'
                ) from None
        if not isinstance(tasks, list):
            raise InputError(
                f'{self.url}: expected a list of tasks as export of project {project}, found '
                f'{type(tasks).__name__}.'
            )
        self._name_annotators(tasks)
        return tasks

    def _name_annotators(self, tasks: list[Any]) -> None:
        """Replace the numbers of annotators by their email addresses, in place."""
        numbered = [
            annotation
            for annotation in _annotations(tasks)
            if isinstance(annotation.get('completed_by'), int)
        ]
        if not numbered:
            return
        with self._explaining('asking who labeled'):
            emails = {user.id: user.email for user in self._client.users.list()}
        for annotation in numbered:
            number = annotation['completed_by']
            annotation['completed_by'] = emails.get(number, number)

    @contextmanager
    def _explaining(self, action: str) -> Iterator[None]:
        """Turn the SDK's errors into messages that say what to do.

        Args:
            action: What is being done, for the messages.
        """
        import httpx
        from label_studio_sdk.core.api_error import ApiError

        try:
            yield
        except httpx.TimeoutException:
            raise ServerUnreachableError(
                f'{self.url} did not answer within {self._timeout} s when {action}. Call again '
                'with --resume, nothing is done twice; train_cfg.oracle.timeout gives it longer.'
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL) as e:
            raise ServerUnreachableError(
                f'Expected a Label Studio server at {self.url}, but {action} failed: {e}. Start '
                'it, or mend train_cfg.oracle.url; then call again with --resume, nothing is done '
                'twice.'
            ) from None
        except ApiError as e:
            raise self._explain_refusal(e, action) from None

    def _explain_refusal(self, error: Any, action: str) -> InputError:
        """The error to raise for an ApiError, which has ``status_code`` and ``body``."""
        status = error.status_code or 0
        message = error_message(error.body)
        if status == 401:
            return InputError(
                f'{self.url} does not accept the token in {TOKEN_VARIABLE} ({message}): it may be '
                f"expired, revoked, or another server's. Copy one from {TOKEN_PAGE} there, export "
                'it, and call again with --resume.'
            )
        if status < 400:
            return InputError(
                f'{self.url} does not answer as Label Studio does when {action}: {message}. Mend '
                'train_cfg.oracle.url, or update the server.'
            )
        if status >= 500:
            return ServerUnreachableError(
                f'{self.url} failed when {action}: {status} {message}. Its log says why; then call '
                'again with --resume.'
            )
        cures = {
            403: 'Whoever owns the token must be a member of the project',
            404: 'Is it Label Studio, and is the project still there? See to it',
        }
        cure = cures.get(status, 'Mend that')
        return InputError(
            f'{self.url} refused {action}: {status} {message}. {cure}; then call again with '
            '--resume.'
        )


def _annotations(tasks: list[Any]) -> Iterator[JsonObject]:
    """All annotations of an export that are objects."""
    for task in tasks:
        if not isinstance(task, dict):
            continue
        for annotation in task.get('annotations') or []:
            if isinstance(annotation, dict):
                yield annotation


def error_message(body: Any) -> str:
    """A server's own words on what is wrong, cut to a line.

    Args:
        body: Body of the server's answer; anything.
    """
    text = ''
    if isinstance(body, dict):
        text = ' '.join(_details(body))
    text = ' '.join((text or str(body)).split())
    if len(text) > MAX_ERROR_CHARACTERS:
        text = text[:MAX_ERROR_CHARACTERS] + ' ...'
    return text.rstrip('.')


def _details(body: JsonObject) -> list[str]:
    """What Label Studio says under ``detail`` and ``validation_errors``."""
    details = [body.get('detail')]
    errors = body.get('validation_errors')
    if isinstance(errors, dict):
        for messages in errors.values():
            if isinstance(messages, list):
                details += messages
            else:
                details.append(messages)
    return [str(detail) for detail in details if detail]
