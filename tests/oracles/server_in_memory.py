"""What an AnnotationServer asks of Label Studio, answered from memory."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace


class ServerInMemory:
    """In place of :class:`~mmal.annotation.label_studio_client.LabelStudioServer`, with one project.

    Attributes:
        stored: Tasks as they were pushed, with ``annotations``.
        calls: How often it was asked for the project.
        looked: Called when somebody asks whether labels have come.
    """

    def __init__(self) -> None:
        self.project, self.stored, self.calls = None, [], 0
        self.looked: Callable = lambda: None

    def label(self, *ids: int, name: str = 'cat') -> None:
        """Draw a box on images that are not labeled yet."""
        value = dict(x=10.0, y=10.0, width=50.0, height=50.0, rotation=0, rectanglelabels=[name])
        region = dict(type='rectanglelabels', original_width=64, original_height=48, value=value)
        for task in self.stored:
            if task['data']['image_id'] in ids and not task['annotations']:
                task['annotations'].append(dict(id=1, result=[region], was_cancelled=False))

    def project_page(self, project: int) -> str:
        return f'http://memory/projects/{project}/data'

    def find_project(self, title: str) -> SimpleNamespace | None:
        self.calls += 1
        return self.project if self.project is not None and self.project.title == title else None

    def create_project(self, title: str, config: str) -> SimpleNamespace:
        self.project = SimpleNamespace(id=1, title=title, label_config=config)
        return self.project

    def push_tasks(self, project: int, tasks: list[dict], chunk: int) -> None:
        self.stored += [dict(task, id=len(self.stored) + n, annotations=[]) for n, task in enumerate(tasks, 1)]

    def list_tasks(self, project: int) -> list[SimpleNamespace]:
        return [SimpleNamespace(id=t['id'], data=t['data'], total_annotations=len(t['annotations']),
                                cancelled_annotations=0) for t in self.stored]

    def progress(self, project: int) -> tuple:
        self.looked()
        return len(self.stored), sum(bool(t['annotations']) for t in self.stored)

    def export_tasks(self, project: int) -> list[dict]:
        return self.stored
