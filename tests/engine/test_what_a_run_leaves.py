"""What rounds with a real tiny FCOS leave in the work_dir."""

import json

from mmal.fileio.text import read_csv, read_json
from mmal.run.layout import MODEL_PHASES, PHASES


def test_rounds_leave_what_the_design_lists(make_cfg, run, dataset):
    work_dir = run(make_cfg(rounds=3, max_epochs=1))
    truth = read_json(dataset / 'train.json')
    trained_on = read_json(work_dir / 'initial.json')
    for r in range(2):
        folder = work_dir / f'round_{r:02d}'
        assert all((folder / name).exists() for name in PHASES.values())
        selected, rows = read_json(folder / 'selected.json'), read_csv(folder / 'scores.csv')
        labeled, metrics = read_json(folder / 'labeled.json'), read_json(folder / 'metrics.json')
        before = [i['id'] for i in trained_on['images']]
        assert len(before) == 6 + 3 * r == metrics['images']
        assert metrics['boxes'] == len(trained_on['annotations'])
        assert [i['id'] for i in labeled['images']] == before + selected
        assert sorted(a['id'] for a in labeled['annotations']) == sorted(
            a['id'] for a in truth['annotations'] if a['image_id'] in before + selected)
        chosen = read_json(folder / 'chosen.json')['images']
        assert [(e['id'], e['rank']) for e in chosen] == [(i, rank) for rank, i in enumerate(selected)]
        assert [e['score'] for e in chosen] == [float(row['influence']) for row in rows[:len(chosen)]]
        values = [float(row['influence']) for row in rows]
        assert values == sorted(values)
        assert [row['id'] for row in rows if row['selected'] == '1'] == [str(i) for i in selected]
        assert len(rows) == 14 - len(before)
        trained_on = labeled
    curve = read_json(work_dir / 'curve.json')
    assert [(p['round'], p['images']) for p in curve] == [(0, 6), (1, 9), (2, 12)]
    last = work_dir / 'round_02'
    assert {name for name in PHASES.values() if (last / name).exists()} == {PHASES[name] for name in MODEL_PHASES}
    assert set(curve[2]['seconds']) == set(MODEL_PHASES)
    assert curve[2]['metrics']['unreadable_images'] == 0
    assert set(curve[0]) == {'round', 'images', 'boxes', 'metrics', 'seconds'}
    assert set(curve[0]['seconds']) == set(PHASES)
    assert 'coco/bbox_mAP' in curve[0]['metrics']
    assert len(read_csv(work_dir / 'curve.csv')) == 3
    assert (work_dir / 'curve.png').read_bytes().startswith(b'\x89PNG')
    lines = [line for path in work_dir.glob('*/vis_data/scalars.json') for line in path.read_text().splitlines()]
    scalars = [json.loads(line) for line in lines]
    assert [(s['step'], s['al/images']) for s in scalars if 'al/images' in s] == [(0, 6), (1, 9), (2, 12)]
    assert not any('loss' in s for s in scalars), 'inner training must not write into the outer visualizer'
    assert not read_json(work_dir / 'pool.json')['annotations']
    page = (work_dir / 'report.html').read_text()
    assert 'Chosen in round 1' in page
    assert '3 rounds are trained and evaluated; 12 of 14 images are labeled.' in page
