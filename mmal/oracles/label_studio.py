from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from mmengine.logging import MMLogger

from mmal.annotation.batch import FOLDER, Batch
from mmal.annotation.formats import label_studio
from mmal.annotation.importer import import_parsed
from mmal.annotation.label_store import LabelStore
from mmal.annotation.label_studio_client import (
    LabelStudioServer,
    Unreachable,
    check_url,
    config_differs,
    require_sdk,
    token,
)
from mmal.annotation.validation import Rules
from mmal.errors import InputError
from mmal.fileio.checksummed import digest_bytes, read_checksummed, write_checksummed
from mmal.fileio.text import json_bytes
from mmal.registry import ORACLES

from .base import OracleResponse, Request
from .human import HumanOracle, ensure_batch, read_response

PUSHED = 'label_studio_server.json'
"""In ``to_label/``: which project has all tasks of the batch. What is missing there now, somebody removed."""


@ORACLES.register_module()
class AnnotationServer:
    """Has people label the images in Label Studio, which this talks to itself.

    Each batch, of an evaluation or reference set, too, becomes tasks of one project: pushed once, however often the run
    is killed, and pulled from the raw JSON export, which is checked as any file of labels is. The token is read from
    the environment variable ``LABEL_STUDIO_API_KEY``. ``pip install "mmal[label-studio]"`` is needed, and a server that
    shows the images, see ``docs/labeling.md``.

    Args:
        data: Data side of the task; given by the loop.
        url: Of the server. Defaults to 'http://127.0.0.1:8080'.
        project: Title of the project, 3 to 50 characters; one a run. It is made if there is none. Defaults to 'mmal'.
        wait: Seconds to wait for the labels of a batch. Defaults to 0: the run ends, and ``--resume`` comes back.
        poll: Seconds between two looks while waiting. Defaults to 30.
        partial: Go on although images of the batch are not labeled yet; those go back to the pool. Defaults to False.
        storage: Folder of the images as the server's machine names it: allowed to the project as local storage.
            Defaults to None: that was done by hand.
        clip: Cut boxes at the edge of the image, however far they pass it. Defaults to False.
        chunk: Tasks a request. Defaults to 200.
        timeout: Seconds to wait for each answer of the server. Defaults to 120.

    Raises:
        InputError: If an argument cannot work, the token or label-studio-sdk is missing, the images are no files, or
            the classes have no names.
    """

    is_human = True

    def __init__(
        self,
        data,
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
        HumanOracle(data, partial)  # what people need
        if not 3 <= len(project) <= 50:
            raise InputError(
                f'train_cfg.oracle.project: expected a title of 3 to 50 characters, found {project!r}.'
            )
        for name, value, least in (
            ('wait', wait, 0),
            ('poll', poll, 1),
            ('chunk', chunk, 1),
            ('timeout', timeout, 1),
        ):
            if not isinstance(value, (int, float)) or value < least:
                raise InputError(
                    f'train_cfg.oracle.{name}: expected a number of at least {least}, found {value!r}.'
                )
        self._url, self._title, self._storage, self._partial = (
            check_url(url),
            project,
            storage,
            partial,
        )
        self._wait, self._poll, self._chunk, self._timeout = wait, poll, int(chunk), timeout
        self._rules = Rules(clip=clip)
        require_sdk()  # now, not hours later
        token()

    def answer(self, request: Request) -> OracleResponse:
        """Push what is not there yet, wait, pull; see :class:`~mmal.oracles.base.Oracle`.

        Raises:
            LabelsPending: If labels are still to come.
            InputError: If the server is down, refuses, or holds something else than was asked. Labels that were there
                before are kept as they were.
        """
        batch = ensure_batch(request)
        if not LabelStore.read(request.folder).missing(batch):
            return read_response(request, batch, self._partial)
        server = LabelStudioServer(self._url, self._timeout)
        project = self._project(server, request.folder, batch)
        self._allow_images(server, project, batch)
        self._push(server, project, request.folder, batch)
        if request.wait:
            self._wait_for(server, project, batch)
        self._pull(server, project, request.folder, batch)
        return read_response(
            request,
            batch,
            self._partial,
            f'label them at {server.page(project.id)}, project '
            f'{self._title!r}, and call this again with --resume',
        )

    def _project(self, server: LabelStudioServer, folder: Path, batch: Batch) -> Any:
        """The project, found or made, with the right label config."""
        config, project = label_studio.config(batch), server.find(self._title)
        if project is None:
            if any(
                read_checksummed(p)['project'] == self._title
                for p in folder.parent.glob(f'*/{FOLDER}/{PUSHED}')
            ):
                raise InputError(
                    f'{self._url} has no project {self._title!r} any more, although this run has asked '
                    'for labels there. Give it back its title, or name another by '
                    'train_cfg.oracle.project: what is not labeled yet is pushed there anew.'
                )
            project = server.create(self._title, config)
        elif wrong := config_differs(project.label_config, config):
            raise InputError(
                f'Project {self._title!r} at {self._url} has another label config than this run needs: '
                f'{wrong}. Set Settings > Labeling Interface to {folder}/{FOLDER}/label_studio.xml, or '
                'name another project by train_cfg.oracle.project.'
            )
        return project

    def _allow_images(self, server: LabelStudioServer, project: Any, batch: Batch) -> None:
        if self._storage is None:
            return
        if Path(self._storage).name != Path(batch.root).name:
            raise InputError(
                f'train_cfg.oracle.storage: expected a folder named {Path(batch.root).name}, as that of '
                f'the images here ({batch.root}), found {self._storage}: tasks name images below it.'
            )
        server.serve_images(project.id, self._storage)

    def _push(self, server: LabelStudioServer, project: Any, folder: Path, batch: Batch) -> None:
        """Push the tasks that are not there, in rank order, and note when all are."""
        marker = folder / FOLDER / PUSHED
        there = {str(t.data['image_id']) for t in self._tasks(server, project, batch)}
        missing = [t for t in label_studio.tasks(batch) if str(t['data']['image_id']) not in there]
        if marker.exists() and read_checksummed(marker)['project'] == self._title:
            if missing and not self._partial:
                raise InputError(
                    f'Project {self._title!r} at {self._url} had {len(batch.images)} tasks of batch '
                    f'{batch.name}, and has {len(there)}: {len(missing)} were removed there, e.g. that of '
                    f'{missing[0]["data"]["file_name"]}. Remove {marker} to have them asked for again, or '
                    'go on without by --partial.'
                )
            return
        server.push(project.id, missing, self._chunk)
        if any(image.predictions for image in batch.images):
            server.show_predictions(project.id, batch.name)
        write_checksummed(marker, dict(project=self._title, id=project.id))
        _say(f'{len(missing)} tasks of batch {batch.name} pushed to {server.page(project.id)}')

    def _tasks(self, server: LabelStudioServer, project: Any, batch: Batch) -> list:
        """Tasks of the batch.

        Raises:
            InputError: If there are some that nobody of this run asked for.
        """
        mine = [t for t in server.tasks(project.id) if t.data.get('batch') == batch.name]
        strange = [t for t in mine if not _asked_for(batch, t.data)]
        if strange:
            raise InputError(
                f'Project {self._title!r} at {self._url} has {len(strange)} tasks of a batch {batch.name} '
                f'that this run does not ask for, e.g. task {strange[0].id}: '
                f'{strange[0].data.get("file_name")}. They are of another run: name another project by '
                'train_cfg.oracle.project, or remove them there.'
            )
        return mine

    def _wait_for(self, server: LabelStudioServer, project: Any, batch: Batch) -> None:
        """Wait until all is labeled or skipped, or the time is up; a server that is away for a while is waited for."""
        end, seen = time.monotonic() + self._wait, None
        while (left := end - time.monotonic()) > 0:
            try:
                if (now := server.done(project.id)) != seen:
                    tasks = self._tasks(server, project, batch)
                    done = sum(bool(t.total_annotations or t.cancelled_annotations) for t in tasks)
                    if done >= len(tasks):
                        return
                    _say(
                        f'{done} of {len(tasks)} images of batch {batch.name} are labeled at '
                        f'{server.page(project.id)}; waiting up to {left / 60:.0f} min more'
                    )
                    seen = now
            except Unreachable as e:
                if left <= self._poll:
                    raise
                _say(f'{e} Trying again every {self._poll:g} s.')
            time.sleep(min(self._poll, left))

    def _pull(self, server: LabelStudioServer, project: Any, folder: Path, batch: Batch) -> None:
        found = [
            task for task in server.export(project.id) if label_studio.batch_of(task) == batch.name
        ]
        answers, problems = label_studio.parse(found)
        try:
            effect = import_parsed(
                folder, answers, problems, self._rules, digest_bytes(json_bytes(found))
            )
        except InputError as e:
            raise InputError(
                f'{server.page(project.id)}: {e}\nCorrect that there, then call again with --resume. '
                '(--clip is train_cfg.oracle.clip=True here.)'
            ) from None
        _say(effect)


def _asked_for(batch: Batch, data: dict) -> bool:
    image = batch.by_text.get(str(data.get('image_id')))
    return image is not None and image.file_name == data.get('file_name')


def _say(text: str) -> None:
    MMLogger.get_current_instance().info(text)
