"""The oracle of people who label in Label Studio, which it talks to itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mmengine.logging import MMLogger

from mmal.annotation.batch import FOLDER, Batch, batch_file
from mmal.annotation.formats import label_studio
from mmal.annotation.importer import import_parsed
from mmal.annotation.label_config import find_config_difference
from mmal.annotation.label_store import LabelStore
from mmal.annotation.label_studio_client import (
    LabelStudioServer,
    ServerUnreachableError,
    check_url,
    read_token,
    require_sdk,
)
from mmal.annotation.validation import Rules
from mmal.errors import InputError
from mmal.fileio.checksummed import digest_bytes, read_checksummed, write_checksummed
from mmal.fileio.text import json_bytes
from mmal.registry import ORACLES

from .base import OracleResponse, Request
from .human import ensure_batch, read_response, require_files_and_classes

if TYPE_CHECKING:
    from mmal.adapters.base import DataAdapter

PUSH_RECORD = 'label_studio_server.json'
"""Name of the file in ``to_label/`` that notes which project has all tasks of the batch.

A task that is missing there afterwards has been removed by somebody.
"""


@dataclass(frozen=True)
class _ProjectBatch:
    """A batch, and the project on a server where people label it.

    Attributes:
        server: The server.
        project: The project, with ``id``, ``title`` and ``label_config``.
        folder: Folder of the batch.
        batch: The batch.
    """

    server: LabelStudioServer
    project: Any
    folder: Path
    batch: Batch

    @property
    def page(self) -> str:
        """Address where people label."""
        return self.server.project_page(self.project.id)

    @property
    def push_record(self) -> Path:
        """The file that notes that all tasks have been pushed."""
        return batch_file(self.folder).with_name(PUSH_RECORD)


@ORACLES.register_module()
class AnnotationServer:
    """Has people label the images in Label Studio, which it talks to itself.

    Each batch, also that of an evaluation or reference set, becomes tasks of one project. They are
    pushed once, however often the run is killed. Labels are pulled from the raw JSON export, which
    is checked as any file of labels is. The token is read from the environment variable
    ``LABEL_STUDIO_API_KEY``. ``pip install "mmal[label-studio]"`` is needed, and a server that
    shows the images; see ``docs/labeling.md``.

    Args:
        data: Data side of the run; given by the loop.
        url: Address of the server. Defaults to 'http://127.0.0.1:8080'.
        project: Title of the project, 3 to 50 characters; one per run. The project is created if
            it does not exist. Defaults to 'mmal'.
        wait: Seconds to wait for the labels of a batch. Defaults to 0: the run ends, and
            ``--resume`` asks again.
        poll: Seconds between two requests while waiting. Defaults to 30.
        partial: Whether to continue although images of the batch are not labeled yet. Those return
            to the pool. Defaults to False.
        storage: Folder of the images on the server's machine. The project is allowed to show it, as
            local storage. Defaults to None: that was done by hand.
        clip: Whether to cut boxes at the edge of the image, however far they pass it. Defaults to
            False.
        chunk: Number of tasks in one request. Defaults to 200.
        timeout: Seconds to wait for each answer of the server. Defaults to 120.

    Raises:
        InputError: If an argument cannot work, the token or label-studio-sdk is missing, the images
            are no files, or the classes have no names.
    """

    is_human = True
    result_neutral: ClassVar[tuple[str, ...]] = (
        'partial',
        'url',
        'wait',
        'poll',
        'storage',
        'project',
        'clip',
        'chunk',
        'timeout',
    )

    def __init__(
        self,
        data: DataAdapter,
        url: str = 'http://127.0.0.1:8080',
        project: str = 'mmal',
        wait: float = 0,
        poll: float = 30,
        partial: bool = False,
        storage: str | None = None,
        clip: bool = False,
        chunk: int = 200,
        timeout: float = 120,
    ) -> None:
        require_files_and_classes(data)
        if not 3 <= len(project) <= 50:
            raise InputError(
                'train_cfg.oracle.project: expected a title of 3 to 50 characters, found '
                f'{project!r}.'
            )
        _require_at_least('wait', wait, 0)
        _require_at_least('poll', poll, 1)
        _require_at_least('chunk', chunk, 1)
        _require_at_least('timeout', timeout, 1)
        self._url = check_url(url)
        self._title = project
        self._storage = storage
        self._partial = partial
        self._wait = wait
        self._poll = poll
        self._chunk = int(chunk)
        self._timeout = timeout
        self._rules = Rules(clip=clip)
        # fail now rather than after the first training
        require_sdk()
        read_token()

    def answer(self, request: Request) -> OracleResponse:
        """Push the tasks that are missing, wait for labels, and pull them.

        Args:
            request: The images to label.

        Raises:
            LabelsPending: If labels are still to come.
            InputError: If the server is down, refuses, or holds something else than was asked.
                Labels that were there before are kept as they were.
        """
        batch = ensure_batch(request)
        if not LabelStore.read(request.folder).missing(batch):
            return read_response(request, batch, self._partial)
        server = LabelStudioServer(self._url, self._timeout)
        project = self._open_project(server, request.folder, batch)
        target = _ProjectBatch(server, project, request.folder, batch)
        self._allow_images(target)
        self._push(target)
        if request.wait:
            self._wait_for_labels(target)
        self._pull(target)
        instructions = (
            f'label them at {target.page}, project {self._title!r}, and call this again with '
            '--resume'
        )
        return read_response(request, batch, self._partial, instructions)

    def _open_project(self, server: LabelStudioServer, folder: Path, batch: Batch) -> Any:
        """Find or create the project, and check that its label config fits the batch."""
        config = label_studio.config(batch)
        project = server.find_project(self._title)
        if project is None:
            self._require_unused_title(folder)
            return server.create_project(self._title, config)
        difference = find_config_difference(project.label_config, config)
        if difference is not None:
            raise InputError(
                f'Project {self._title!r} at {self._url} has another label config than this run '
                f'needs: {difference}. Set Settings > Labeling Interface to '
                f'{folder}/{FOLDER}/label_studio.xml, or name another project by '
                'train_cfg.oracle.project.'
            )
        return project

    def _require_unused_title(self, folder: Path) -> None:
        """Refuse to create a project that this run has used before: somebody removed it."""
        for record in folder.parent.glob(f'*/{FOLDER}/{PUSH_RECORD}'):
            if read_checksummed(record)['project'] == self._title:
                raise InputError(
                    f'{self._url} has no project {self._title!r} any more, although this run has '
                    'asked for labels there. Give it back its title, or name another by '
                    'train_cfg.oracle.project: what is not labeled yet is pushed there anew.'
                )

    def _allow_images(self, target: _ProjectBatch) -> None:
        """Allow the project to show the images, if the folder on the server is known."""
        if self._storage is None:
            return
        root = target.batch.root
        if Path(self._storage).name != Path(root).name:
            raise InputError(
                f'train_cfg.oracle.storage: expected a folder named {Path(root).name}, as that of '
                f'the images here ({root}), found {self._storage}: tasks name images below it.'
            )
        target.server.serve_images(target.project.id, self._storage)

    def _push(self, target: _ProjectBatch) -> None:
        """Push the tasks that are not in the project, in rank order, and note when all are."""
        batch = target.batch
        present = {str(task.data['image_id']) for task in self._list_tasks(target)}
        missing = []
        for task in label_studio.tasks(batch):
            if str(task['data']['image_id']) not in present:
                missing.append(task)
        record = target.push_record
        if record.exists() and read_checksummed(record)['project'] == self._title:
            if missing and not self._partial:
                raise InputError(
                    f'Project {self._title!r} at {self._url} had {len(batch.images)} tasks of '
                    f'batch {batch.name}, and has {len(present)}: {len(missing)} were removed '
                    f'there, e.g. that of {missing[0]["data"]["file_name"]}. Remove {record} to '
                    'have them asked for again, or go on without by --partial.'
                )
            return
        target.server.push_tasks(target.project.id, missing, self._chunk)
        if any(image.predictions for image in batch.images):
            target.server.show_predictions(target.project.id, batch.name)
        write_checksummed(record, {'project': self._title, 'id': target.project.id})
        _log(f'{len(missing)} tasks of batch {batch.name} pushed to {target.page}')

    def _list_tasks(self, target: _ProjectBatch) -> list[Any]:
        """Tasks of the batch in the project.

        Raises:
            InputError: If there are some that this run has not asked for.
        """
        batch = target.batch
        all_tasks = target.server.list_tasks(target.project.id)
        own_tasks = [task for task in all_tasks if task.data.get('batch') == batch.name]
        for_others = [task for task in own_tasks if not _asks_for(batch, task.data)]
        if for_others:
            first = for_others[0]
            raise InputError(
                f'Project {self._title!r} at {self._url} has {len(for_others)} tasks of a batch '
                f'{batch.name} that this run does not ask for, e.g. task {first.id}: '
                f'{first.data.get("file_name")}. They are of another run: name another project by '
                'train_cfg.oracle.project, or remove them there.'
            )
        return own_tasks

    def _wait_for_labels(self, target: _ProjectBatch) -> None:
        """Wait until all images are labeled or skipped, or the time is up.

        A server that does not answer for a while is waited for, too.
        """
        deadline = time.monotonic() + self._wait
        last_progress: tuple[Any, ...] | None = None
        while (remaining := deadline - time.monotonic()) > 0:
            try:
                progress = target.server.progress(target.project.id)
                if progress != last_progress:
                    if self._all_done(target, remaining):
                        return
                    last_progress = progress
            except ServerUnreachableError as e:
                if remaining <= self._poll:
                    raise
                _log(f'{e} Trying again every {self._poll:g} s.')
            time.sleep(min(self._poll, remaining))

    def _all_done(self, target: _ProjectBatch, remaining: float) -> bool:
        """Whether all images are labeled or skipped; otherwise log how many are."""
        tasks = self._list_tasks(target)
        done = [task for task in tasks if task.total_annotations or task.cancelled_annotations]
        if len(done) == len(tasks):
            return True
        _log(
            f'{len(done)} of {len(tasks)} images of batch {target.batch.name} are labeled at '
            f'{target.page}; waiting up to {remaining / 60:.0f} min more'
        )
        return False

    def _pull(self, target: _ProjectBatch) -> None:
        """Import the labels of the batch from the export of the project."""
        tasks = []
        for task in target.server.export_tasks(target.project.id):
            if label_studio.batch_name(task) == target.batch.name:
                tasks.append(task)
        parsed = label_studio.parse(tasks, target.batch.has_boxes)
        digest = digest_bytes(json_bytes(tasks))
        try:
            effect = import_parsed(target.folder, parsed, self._rules, digest)
        except InputError as e:
            raise InputError(
                f'{target.page}: {e}\nCorrect that there, then call again with --resume. '
                '(--clip is train_cfg.oracle.clip=True here.)'
            ) from None
        _log(effect)


def _require_at_least(name: str, value: Any, least: float) -> None:
    if not isinstance(value, (int, float)) or value < least:
        raise InputError(
            f'train_cfg.oracle.{name}: expected a number of at least {least}, found {value!r}.'
        )


def _asks_for(batch: Batch, data: dict[str, Any]) -> bool:
    """Whether the image of a task is in a batch, under the same name."""
    image = batch.image_by_id.get(str(data.get('image_id')))
    return image is not None and image.file_name == data.get('file_name')


def _log(text: str) -> None:
    MMLogger.get_current_instance().info(text)
