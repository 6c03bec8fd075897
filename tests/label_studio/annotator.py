"""A person who labels through the API of Label Studio, and knows the truth."""

from __future__ import annotations

import threading

from tests.label_studio.server import TOKEN, USER

SKIPS = 7
"""Images whose id this divides are skipped."""


class Annotator:
    """Labels the tasks of one project.

    Args:
        url: Of the server.
        title: Of the project.
        truth: COCO dict with all annotations.
    """

    user = USER

    def __init__(self, url: str, title: str, truth: dict) -> None:
        from label_studio_sdk import LabelStudio
        self.client = LabelStudio(base_url=url, api_key=TOKEN)
        self._title, self._truth = title, truth
        self._stop = threading.Event()

    @property
    def project(self):
        return next((p for p in self.client.projects.list(title=self._title) if p.title == self._title), None)

    def tasks(self) -> list:
        return list(self.client.tasks.list(project=self.project.id, fields='all', page_size=1000))

    def label(self) -> int:
        """Label or skip what is not done yet; the number of those."""
        if self.project is None:
            return 0
        todo = [t for t in self.tasks() if not (t.total_annotations or t.cancelled_annotations)]
        for task in todo:
            image_id = task.data['image_id']
            skip = image_id % SKIPS == 0
            self.client.annotations.create(task.id, result=[] if skip else self.regions(image_id), was_cancelled=skip,
                                           lead_time=float(image_id))
        return len(todo)

    def regions(self, image_id: int) -> list[dict]:
        image = next(i for i in self._truth['images'] if i['id'] == image_id)
        names = {c['id']: c['name'] for c in self._truth['categories']}
        sizes = (image['width'], image['height']) * 2
        return [dict(type='rectanglelabels', from_name='label', to_name='image', original_width=image['width'],
                     original_height=image['height'], image_rotation=0,
                     value=dict({k: 100 * v / s for k, v, s in zip(('x', 'y', 'width', 'height'), a['bbox'], sizes,
                                                                   strict=True)},
                                rotation=0, rectanglelabels=[names[a['category_id']]]))
                for a in self._truth['annotations'] if a['image_id'] == image_id]

    def __enter__(self):
        """Keep labeling whatever comes, in a thread."""
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        return self

    def _work(self) -> None:
        while not self._stop.wait(3):
            self.label()

    def __exit__(self, *args):
        self._stop.set()
        self._thread.join(60)
